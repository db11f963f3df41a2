#!/usr/bin/env node
/** The executable `metrics`. */
import { enter } from "./cli/enter.ts";

await enter("metrics");
