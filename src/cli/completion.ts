/** `metrics completion`: a script that completes verbs, options and metrics in a shell. */
import { readFile } from "node:fs/promises";
import { Argument, type Command, type Option } from "commander";
import { METRIC_NAMES } from "../core/metric.ts";
import { packaged } from "../packaged.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import type { Cli } from "./verbs.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** A verb as a shell completes it. */
type Completed = {
  readonly name: string;
  readonly what: string;
  readonly options: readonly Option[];
  /** What may follow it beside options. */
  readonly words: readonly string[];
};

/** @param metrics the command whose verbs are completed. */
export function defineCompletion(command: Command, metrics: Command, { terminal }: Cli): void {
  describe(command, {
    what: "print a script that completes verbs, options and metrics in a shell",
    examples: [
      "source <(metrics completion bash)",
      "source <(metrics completion zsh)",
      "metrics completion fish > ~/.config/fish/completions/metrics.fish",
    ],
    environment: ENVIRONMENT.none,
    exits: { 0: true, 2: true },
  })
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action(async (shell: Shell) => {
      const names = [...METRIC_NAMES, ...(await packagedGates())];
      await terminal.out(SCRIPTS[shell](metrics.commands.map((verb) => completed(verb, names))));
    });
}

/** A database is not needed for a completion, so the configuration in effect is not known. */
async function packagedGates(): Promise<string[]> {
  const { metrics } = JSON.parse(await readFile(packaged("config/metrics.json"), "utf8")) as {
    readonly metrics: Readonly<Record<string, { readonly gate?: { readonly name: string } }>>;
  };
  return Object.values(metrics).flatMap(({ gate }) => gate?.name ?? []);
}

/** @param names of metrics and gates. */
function completed(verb: Command, names: readonly string[]): Completed {
  const [argument] = verb.registeredArguments;
  return {
    name: verb.name(),
    what: verb.description(),
    options: verb.options,
    words: argument?.argChoices ?? (argument?.name() === "metric" ? names : []),
  };
}

const SCRIPTS: Readonly<Record<Shell, (verbs: readonly Completed[]) => string>> = { bash, zsh, fish };

function bash(verbs: readonly Completed[]): string {
  return `# metrics and snapshot: completion for bash
_metrics() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} candidates
${posix(verbs, "COMP_WORDS[@]:1:$((COMP_CWORD-1))", "COMP_WORDS[0]")}
  case $prev in
    --config|--svg) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -o|--output) candidates="text json jsonl" ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$cur"))
}
complete -F _metrics metrics snapshot
`;
}

function zsh(verbs: readonly Completed[]): string {
  return `#compdef metrics snapshot
# metrics and snapshot: completion for zsh
_metrics() {
  local prev=\${words[CURRENT-1]} line=("\${words[@]}") candidates
${posix(verbs, "line[@]:1:$((CURRENT-2))", "line[1]")}
  case $prev in
    --config|--svg) _files; return ;;
    -o|--output) candidates="text json jsonl" ;;
  esac
  compadd -- \${=candidates}
}
compdef _metrics metrics snapshot
`;
}

/** Finds the verb among the words of the command line, and sets \`candidates\` to what may follow. The same in bash and zsh. */
function posix(verbs: readonly Completed[], line: string, executable: string): string {
  const cases = verbs.map(
    ({ name, options, words }) =>
      `    ${name}) candidates="${[...words, ...options.flatMap(flagsOf), "--help"].join(" ")}" ;;`,
  );
  return `  local word verb=
  [[ \${${executable}##*/} == snapshot ]] && verb=snapshot
  for word in "\${${line}}"; do
    [[ -z $verb && $word != -* ]] && verb=$word
  done
  case $verb in
    "") candidates="${[...verbs.map(({ name }) => name), "--help", "--version"].join(" ")}" ;;
${cases.join("\n")}
    *) candidates= ;;
  esac`;
}

function fish(verbs: readonly Completed[]): string {
  const lines = verbs.flatMap(({ name, what, options, words }) => {
    const after = `complete -c metrics -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c metrics -f -n __fish_use_subcommand -a ${name} -d ${quoted(what)}`,
      ...(words.length === 0 ? [] : [`${after} -f -a ${quoted(words.join(" "))}`]),
      ...options.map((option) => `${after} ${fishOption(option)}`),
      ...(name === "snapshot" ? options.map((option) => `complete -c snapshot ${fishOption(option)}`) : []),
    ];
  });
  return `# metrics and snapshot: completion for fish\n${lines.join("\n")}\n`;
}

function fishOption(option: Option): string {
  const { long, short, required, description, argChoices } = option;
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long == null ? [] : [`-l ${long.slice(2)}`]),
    ...(required ? ["-r"] : []),
    ...(argChoices === undefined ? [] : [`-f -a ${quoted(argChoices.join(" "))}`]),
    `-d ${quoted(description)}`,
  ].join(" ");
}

function flagsOf({ long, short }: Option): string[] {
  return [long, short].flatMap((flag) => flag ?? []);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
