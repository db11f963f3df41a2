import { closeSync, openSync, readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { type DaemonEvent, type Entry, EVENTS } from "../src/events/daemon-event.ts";
import { createLogger, type LoggerOptions } from "../src/events/log.ts";
import { LogOutput } from "../src/events/log-output.ts";
import { VERSION } from "../src/version.ts";

const HOSTILE = "x\x1b]0;pwned\x07\x1b[2J\r\nfirst_pass_merge_rate = 1.00\u202e\u009b";
const failure = { code: "ECONNREFUSED", message: "connection refused" };

function listen(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) };
  const { report } = createLogger({ level: "debug", instance: "host-1", output, pretty: false, ...options });
  return { lines, report, parsed: () => lines.map((line): Record<string, unknown> => JSON.parse(line)) };
}

/** A file descriptor that takes so many bytes each time, or fails. */
function device(...behaviour: (number | string)[]) {
  let taken = "";
  const write = (_: number, bytes: Uint8Array) => {
    const next = behaviour.shift() ?? bytes.length;
    if (typeof next === "string") throw Object.assign(new Error(next), { code: next });
    taken += Buffer.from(bytes.subarray(0, next)).toString();
    return Math.min(next, bytes.length);
  };
  return { output: new LogOutput(1, write), taken: () => taken };
}

const recorded = (project: string): DaemonEvent => ({
  event: "merge.recorded",
  seq: 7,
  event_id: "48213",
  work_item_id: "912",
  project,
  attempts: 1,
  values: { first_pass_merge_rate: 0.88, rebase_conflict_rate: null },
  commit_to_record_ms: 12,
  late: false,
  found_by: "poll",
  batch: 1,
});

const crossed = (permissive: boolean): DaemonEvent => ({
  event: "threshold.crossed",
  metric: "first_pass_merge_rate",
  gate: "trust",
  scope: "global",
  project: null,
  from: "unknown",
  to: permissive ? "high" : "low",
  value: 0.88,
  upper: 0.85,
  lower: 0.7,
  permissive,
});

describe("a line", () => {
  test("has the level as a word, the ISO time, the instance, the event, its fields and a constant message", () => {
    const { report, parsed } = listen();
    report(recorded("atlas"));
    const [line] = parsed();
    const { event, ...fields } = recorded("atlas");
    expect(line).toStrictEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: "damascus-metrics",
      version: VERSION,
      instance: "host-1",
      event,
      ...fields,
      msg: "merge recorded",
    });
  });

  test("a hostile project name stays in its line, drives no terminal, and is not changed", () => {
    const { report, lines, parsed } = listen();
    report(recorded(HOSTILE));
    expect(lines.join("")).toMatch(/^[\x20-\x7e]*\n$/);
    expect(parsed()[0]?.["project"]).toBe(HOSTILE);
  });

  test("below the configured level nothing is printed", () => {
    const { report, lines } = listen({ level: "warn" });
    report(recorded("atlas"));
    report(crossed(true));
    report(crossed(false));
    expect(lines).toHaveLength(1);
  });

  test("a crossing towards the permissive side is information, towards the restrictive one a warning", () => {
    const { report, parsed } = listen();
    report(crossed(true));
    report(crossed(false));
    expect(parsed().map((line) => line["level"])).toStrictEqual(["info", "warn"]);
  });

  test("a refused login is logged at most once a minute, any other failed attempt each time", () => {
    let now = 0;
    const { report, lines } = listen({ monotonic: () => now });
    const attempt = (code: string) => {
      report({ event: "db.connect_failed", failure: { code, message: "no" }, attempt: 1, retry_in_ms: 1 });
      return lines.splice(0).length;
    };
    expect([attempt("28P01"), attempt("28P01"), attempt("28000"), attempt("57P03")]).toStrictEqual([
      1, 0, 0, 1,
    ]);
    now = 59_999;
    expect(attempt("28P01")).toBe(0);
    now = 60_000;
    expect(attempt("28P01")).toBe(1);
  });
});

describe("secrets", () => {
  test("nothing beside the named fields is printed, whatever an object brings along", () => {
    const { report, lines } = listen();
    const error = Object.assign(new Error("connection refused"), {
      code: "ECONNREFUSED",
      detail: "canary",
      query: "canary",
      client: { password: "canary" },
    });
    report({
      event: "db.disconnected",
      failure: error,
      attempt: 1,
      retry_in_ms: 1,
      payload: "canary",
    } as DaemonEvent);
    const holder = { pid: 1, application: null, role: null, seconds: 2, prepared: null, query: "canary" };
    report({ event: "writer.blocked", holders: [holder], retry_in_ms: 1 });
    expect(lines.join("")).not.toContain("canary");
    expect(lines.join("")).not.toContain("stack");
  });

  test("a password within a connection string or a member of that name is not printed", () => {
    const { report, lines } = listen();
    const message = "cannot use postgresql://metrics:canary/p@ss@db:5432/damascus";
    report({ event: "daemon.fatal", failure: { code: "x", message }, problems: [message] });
    report({ event: "daemon.starting", settings: { password: "canary", database: { password: "canary" } } });
    expect(lines.join("")).not.toContain("canary");
    expect(lines.join("")).toContain("postgresql://metrics:[redacted]@db:5432/damascus");
  });
});

describe("for people", () => {
  test("a hostile project name cannot drive the terminal either", () => {
    const { report, lines } = listen({ pretty: true });
    report(recorded(HOSTILE));
    const [line = ""] = lines;
    expect(line.split("\n")).toHaveLength(2);
    expect(line).toContain("merge recorded");
    // Colours are the only control sequences.
    expect(stripVTControlCharacters(line).trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  });

  test("times are UTC, as everywhere, and say so", () => {
    vi.stubEnv("TZ", "Asia/Tokyo");
    const { report, lines } = listen({ pretty: true });
    report(recorded("atlas"));
    vi.unstubAllEnvs();
    const [, hour] = /^\[(\d\d):\d\d:\d\d\.\d{3}Z\]/.exec(lines[0] ?? "") ?? [];
    const late = (new Date().getUTCHours() - Number(hour) + 24) % 24;
    expect(late).toBeLessThanOrEqual(1);
  });

  test.each([
    ["NO_COLOR", "1"],
    ["TERM", "dumb"],
  ])("with %s=%s there are no colours", (variable, value) => {
    vi.stubEnv(variable, value);
    const { report, lines } = listen({ pretty: true });
    vi.unstubAllEnvs();
    report(recorded("atlas"));
    expect(lines.join("")).toContain("merge recorded");
    expect(lines.join("")).not.toContain("\x1b");
  });
});

describe("standard output", () => {
  test("a line that is taken in pieces arrives whole", () => {
    const { output, taken } = device(2, "EAGAIN", 1);
    output.write("one\n");
    expect(taken()).toBe("one\n");
  });

  test("a closed or full output loses lines, and the next one begins on a new line", () => {
    const { output, taken } = device("EPIPE", 2, "ENOSPC", "ENOSPC");
    for (const line of ["lost\n", "cut\n", "lost\n", "whole\n"]) output.write(line);
    expect(taken()).toBe("cu\nwhole\n");
  });

  test("a pipe without a reader delays only the first line", () => {
    const { output, taken } = device(...Array<string>(8).fill("EAGAIN"));
    for (const line of ["lost\n", "lost\n", "lost\n", "whole\n"]) output.write(line);
    expect(taken()).toBe("whole\n");
  });

  test("a full disk is survived", () => {
    const full = openSync("/dev/full", "w");
    const { report } = createLogger({
      level: "info",
      instance: "a",
      output: new LogOutput(full),
      pretty: false,
    });
    expect(() => report({ event: "db.connect_failed", failure, attempt: 1, retry_in_ms: 1 })).not.toThrow();
    closeSync(full);
  });
});

describe("docs/logs.md", () => {
  const rows = readFileSync(new URL("../docs/logs.md", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, event = "", level = "", when = "", fields = ""]) => ({
      event: event.replaceAll("`", ""),
      level,
      when,
      fields: fields.split(" ").flatMap((field) => (field === "" ? [] : [field.replaceAll("`", "")])),
    }));

  test("lists every event of the code, and no other", () => {
    expect(rows.map((row) => row.event).toSorted()).toStrictEqual(Object.keys(EVENTS).toSorted());
  });

  test.each(rows)(
    "$event has the level and the fields that the code gives it",
    ({ event, level, when, fields }) => {
      const entry = EVENTS[event as keyof typeof EVENTS] as unknown as Entry;
      expect(fields).toStrictEqual(Object.keys(entry.fields));
      expect(level).toMatch(
        typeof entry.level === "string" ? new RegExp(`^${entry.level}$`) : / or (warn|debug)$/,
      );
      expect(when).not.toBe("");
      expect(event).toMatch(/^[a-z]+\.[a-z_]+$/);
    },
  );
});
