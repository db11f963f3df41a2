/** What the bundle holds of others: their licences, and a bill of materials. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { SERVICE } from "../src/version.ts";

/** A library's folder, also where it lies in another's. */
const FOLDER = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;
const LEGAL = /^(licen[cs]e|copying|notice)/i;
const README = /^readme/i;
const SECTION = /^#+ *licen[cs]e[^]*/im;

export type Library = {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license: string;
  readonly author?: string | undefined;
  readonly folder: string;
};

/** The libraries that esbuild took code from, by name. */
export function librariesOf(root: string, { outputs }: Metafile): Library[] {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const folders = new Set(files.flatMap((file) => FOLDER.exec(file)?.[0] ?? []));
  return [...folders]
    .map((path) => {
      const folder = join(root, path);
      const { name, version, license, author } = JSON.parse(
        readFileSync(join(folder, "package.json"), "utf8"),
      ) as Omit<Library, "folder">;
      return { name, version, license, author, folder };
    })
    .toSorted((one, other) => one.name.localeCompare(other.name) || one.version.localeCompare(other.version));
}

/** The texts under which they may be passed on. */
export function licencesOf(libraries: readonly Library[]): string {
  const texts = libraries.map((library) =>
    [`${library.name} ${library.version} (${library.license})`, ...legalTexts(library)].join("\n\n"),
  );
  return `dist/program.js contains code of these libraries.\n\n${texts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

/** Files of its own, else a section of the README; a package without a file names its author. */
function legalTexts({ folder, author }: Library): string[] {
  const files = readdirSync(folder).toSorted();
  const text = (file: string): string => readFileSync(join(folder, file), "utf8").trim();
  const legal = files.filter((file) => LEGAL.test(file)).map(text);
  if (legal.length > 0) return legal;
  return [
    ...(author === undefined ? [] : [`By ${author}`]),
    ...files.flatMap((file) => (README.test(file) ? (SECTION.exec(text(file)) ?? []) : [])),
  ];
}

type Component = { readonly "bom-ref": string; readonly name: string; readonly version: string };
type Bom = {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};

/** npm's bill of materials (CycloneDX), with those libraries alone: to npm every library of a bundle is a development dependency. */
export function billOfMaterials(root: string, libraries: readonly Library[]): string {
  const args = ["sbom", "--sbom-format=cyclonedx", "--sbom-type=application", "--package-lock-only"];
  const all = JSON.parse(
    execFileSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 }),
  ) as Bom;
  const bundled = new Set(libraries.map(({ name, version }) => `${name}@${version}`));
  const components = all.components
    .filter(({ name, version }) => bundled.has(`${name}@${version}`))
    .map((component) => ({ ...component, scope: "required", properties: undefined }));
  const { component } = all.metadata;
  const refs = new Set([component["bom-ref"], ...components.map((one) => one["bom-ref"])]);
  const dependencies = all.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
  // npm calls the project by the folder of its checkout.
  const metadata = { ...all.metadata, component: { ...component, name: SERVICE } };
  return `${JSON.stringify({ ...all, metadata, components, dependencies }, null, 2)}\n`;
}
