/** Completion scripts for shells, generated from the commands and flags of the program. */
import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface CompletedCommand {
  /** Such as `k8s render`; empty for the program itself. */
  readonly name: string;
  readonly subcommands: readonly Command[];
  readonly flags: readonly Option[];
  /** Allowed values of arguments. */
  readonly values: readonly string[];
}

/** `named`: all commands with full names (`k8s render`), and the program itself with an empty name. */
export function completionScript(
  shell: Shell,
  named: readonly { readonly name: string; readonly command: Command }[],
): string {
  const commands = named.map(({ name, command }) => ({
    name,
    subcommands: command.commands,
    flags: flagsOf(command),
    values: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  }));
  if (shell === 'fish') return fishScript(commands);
  const bash = bashScript(commands);
  return shell === 'bash' ? bash : `#compdef equipoise\nautoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

/** Flags of the help, including `--help`. */
const flagsOf = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command);

const takesValue = ({ required, optional }: Option): boolean => required || optional;

/** Without words of its own, a place takes file names (`-o default`). */
function bashScript(commands: readonly CompletedCommand[]): string {
  const paths = commands.flatMap(({ name, subcommands }) =>
    subcommands.map((each) => `      "${name} ${each.name()}") command="${`${name} ${each.name()}`.trim()}" ;;`),
  );
  const values = commands.flatMap(({ name, flags }) =>
    flags
      .filter(takesValue)
      .map(({ long, argChoices = [] }) => `    "${name} ${long}") words="${argChoices.join(' ')}" ;;`),
  );
  const words = commands.map(({ name, subcommands, flags, values: ofArguments }) => {
    const names = [...subcommands.map((each) => each.name()), ...ofArguments].join(' ');
    return `    "${name}") words="${names}"; [[ $current == -* ]] && words="${flags.map(({ long }) => long).join(' ')}" ;;`;
  });
  return `_equipoise() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${paths.join('\n')}
    esac
  done
  case "$command $previous" in
${values.join('\n')}
    *) case "$command" in
${words.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _equipoise equipoise
`;
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, subcommands, flags, values }) => {
    const words = name === '' ? [] : name.split(' ');
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const names = subcommands.map((each) => each.name());
    const isNext = [...seen, ...(names.length > 0 ? [`not __fish_seen_subcommand_from ${names.join(' ')}`] : [])];
    return [
      ...subcommands.map(
        (each) =>
          `complete -c equipoise -f -n ${quoted(isNext.join('; and '))} -a ${each.name()} -d ${quoted(each.description())}`,
      ),
      ...(values.length === 0 ? [] : [`complete -c equipoise${conditionOf(seen)} -f -a ${quoted(values.join(' '))}`]),
      ...flags.map((flag) => `complete -c equipoise${conditionOf(seen)} ${fishFlag(flag)}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}

const conditionOf = (seen: readonly string[]): string =>
  seen.length === 0 ? '' : ` -n ${quoted(seen.join('; and '))}`;

function fishFlag(flag: Option): string {
  const choices = flag.argChoices === undefined ? '' : ` -f -a ${quoted(flag.argChoices.join(' '))}`;
  return `-l ${flag.long?.slice(2)}${takesValue(flag) ? ' -r' : ''}${choices} -d ${quoted(flag.description)}`;
}
