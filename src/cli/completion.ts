/** `metrics completion`: a script that completes verbs, options and metrics in a shell. */
import { readFile } from "node:fs/promises";
import { Argument, Option } from "commander";
import { METRIC_NAMES } from "../core/metric.ts";
import { packaged } from "../packaged.ts";
import type { Verb } from "./verb.ts";

const SCRIPTS = { bash, zsh, fish };

export const completion: Verb = {
  name: "completion",
  what: "print a script that completes verbs, options and metrics in a shell",
  examples: [
    "source <(metrics completion bash)",
    "source <(metrics completion zsh)",
    "metrics completion fish > ~/.config/fish/completions/metrics.fish",
  ],
  environment: [],
  exits: { 0: true, 2: true },
  options: [new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS))],
  async run(_, { terminal, verbs }, shell) {
    const names = [...METRIC_NAMES, ...(await packagedGates())];
    await terminal.out(SCRIPTS[shell as keyof typeof SCRIPTS](verbs.map((verb) => completed(verb, names))));
    return 0;
  },
};

/** A database is not needed for a completion, so the configuration in effect is not known. */
async function packagedGates(): Promise<string[]> {
  const { metrics } = JSON.parse(await readFile(packaged("config/metrics.json"), "utf8")) as {
    readonly metrics: Readonly<Record<string, { readonly gate?: { readonly name: string } }>>;
  };
  return Object.values(metrics).flatMap(({ gate }) => gate?.name ?? []);
}

/** A verb as a shell completes it. */
type Completed = Pick<Verb, "name" | "what"> & {
  readonly options: readonly Option[];
  /** What may follow it beside options. */
  readonly words: readonly string[];
};

/** @param names of metrics and gates. */
function completed({ name, what, options }: Verb, names: readonly string[]): Completed {
  const argument = options.find((one) => one instanceof Argument);
  return {
    name,
    what,
    options: options.filter((one) => one instanceof Option),
    words: argument?.argChoices ?? (argument?.name() === "metric" ? names : []),
  };
}

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

/** Finds the verb on the command line, and sets \`candidates\` to what may follow. The same in bash and zsh. */
function posix(verbs: readonly Completed[], line: string, executable: string): string {
  const cases = verbs.map(({ name, options, words }) => {
    const flags = options.flatMap((option) => option.flags.match(/--?[a-z-]+/g) ?? []);
    return `    ${name}) candidates="${[...words, ...flags, "--help"].join(" ")}" ;;`;
  });
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

function fishOption({ long, short, required, description, argChoices }: Option): string {
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long == null ? [] : [`-l ${long.slice(2)}`]),
    ...(required ? ["-r"] : []),
    ...(argChoices === undefined ? [] : [`-f -a ${quoted(argChoices.join(" "))}`]),
    `-d ${quoted(description)}`,
  ].join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
