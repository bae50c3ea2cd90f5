/** The page docs/reference/cli.md: every command with its arguments, flags and JSON, from the program itself. */
import { buildProgram, commandsOf } from '../packages/app/src/build-program.js';
import { jsonShapes } from './json-shapes.js';
import { markdownTable } from './markdown-table.js';

type Command = ReturnType<typeof buildProgram>;
type Flag = Command['options'][number];

const code = (text: string): string => `\`${text}\``;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** Markdown of the page. */
export function renderCliPage(): string {
  const commands = commandsOf(buildProgram());
  const rows = commands.map(({ name, command }) => [`[${code(name)}](#${anchorOf(name)})`, command.description()]);
  const page = [
    '# Command line',
    `${code('npx equipoise COMMAND')} works from the root of the repository after ${code('npm ci')}. ${code('equipoise --help')} and ${code('equipoise COMMAND --help')} print the commands and flags of this page. ${code('npm run generate')} generates this page.`,
    `Exit codes: 0 success · 1 negative result (an invalid file, no feasible plan, failed requests) · 2 wrong usage · 3 other failure (such as of a file, the network or a server).`,
    `After SIGINT (Ctrl-C) or SIGTERM a command ends by this signal; shells show 130 or 143. Before it ends, ${code('profile')} prints where it saved its measurements; the next ${code('profile')} continues from these. Other commands end with an exit code instead: ${code('serve')} and ${code('operator')} finish their work in flight and exit with 0; ${code('experiment')}, ${code('sweep')} and ${code('recommend')} keep what is finished (${code('recommend')} only with ${code('--results')}) and exit with 3; ${code('calibrate')} and ${code('replay')} keep nothing and exit with 3, and so does ${code('simulate')} after SIGINT; ${code('load')} waits for the answers to sent requests, reports and exits with 1.`,
    `With ${code('--json')}, stdout has one JSON document and nothing else; progress, warnings and logs go to stderr. All errors, including wrong arguments, have the form ${code('{"error": {"code", "message", "details", "docs"}}')} ([list of codes](errors.md)).`,
    markdownTable(['command', 'what it does'], rows),
    ...commands.map(commandSection),
  ];
  return `${page.join('\n\n')}\n`;
}

const anchorOf = (name: string): string => name.replaceAll(' ', '-');

function commandSection({ name, command }: { readonly name: string; readonly command: Command }): string {
  const shape = jsonShapes[name];
  return [
    `## ${name}`,
    sentence(command.description()),
    `\`\`\`sh\nequipoise ${name} ${command.usage()}\n\`\`\``,
    ...(command.registeredArguments.length === 0 ? [] : [argumentTable(command)]),
    ...(command.options.length === 0 ? [] : [flagTable(command.options)]),
    ...(shape === undefined ? [] : [`Output with ${code('--json')}:`, `\`\`\`text\n${shape}\n\`\`\``]),
  ].join('\n\n');
}

function argumentTable({ registeredArguments }: Command): string {
  const rows = registeredArguments.map((argument) => [
    code(argument.required ? `<${argument.name()}>` : `[${argument.name()}]`),
    argument.defaultValue === undefined ? '' : code(String(argument.defaultValue)),
    argument.description,
  ]);
  return markdownTable(['argument', 'default', 'meaning'], rows);
}

function flagTable(flags: readonly Flag[]): string {
  return markdownTable(
    ['flag', 'default', 'meaning'],
    flags.map((flag) => [code(flag.flags), defaultOf(flag), meaningOf(flag)]),
  );
}

function defaultOf({ mandatory, negate, defaultValue }: Flag): string {
  if (mandatory) return 'required';
  return negate || defaultValue === undefined ? '' : code(String(defaultValue));
}

function meaningOf({ description, argChoices }: Flag): string {
  return argChoices === undefined ? description : `${description}; one of ${argChoices.map(code).join(', ')}`;
}
