import { describe, expect, it } from 'vitest';
import { blocksOfRepository, type CodeBlock, codeBlocksIn, isShell, pagesOfRepository } from './code-blocks.js';
import { commandProblems } from './command-problems.js';
import { documentsOf, ownYamlProblems, schemaProblems } from './object-problems.js';
import { isServer, onPorts, PAGE_PORTS, sectionOf } from './quick-start.js';
import { shellCommands } from './shell-words.js';

const blocks = blocksOfRepository();
/** Usage lines, generated from the program. */
const USAGE = 'docs/reference/cli.md';

async function problemsOf(
  chosen: readonly CodeBlock[],
  problemsIn: (text: string) => readonly string[] | Promise<readonly string[]>,
): Promise<readonly string[]> {
  const found = await Promise.all(
    chosen.map(async ({ page, line, text }) =>
      (await problemsIn(text)).map((problem) => `${page}:${line}: ${problem}`),
    ),
  );
  return found.flat();
}

const jsonProblems = (text: string): readonly string[] => {
  try {
    JSON.parse(text);
    return [];
  } catch (error) {
    return [String(error)];
  }
};

describe('the pages', () => {
  it('are all looked at, with their blocks', () => {
    expect(pagesOfRepository().length).toBeGreaterThan(80);
    expect(blocks.filter(isShell).length).toBeGreaterThan(150);
    expect(blocks.filter(({ language }) => language === 'yaml').length).toBeGreaterThan(35);
  });

  it('have commands that exist, with flags, files and scripts that exist', async () => {
    const shell = blocks.filter((block) => isShell(block) && block.page !== USAGE);
    expect(await problemsOf(shell, commandProblems)).toEqual([]);
  });

  it('have YAML that is valid, as a whole or as a part of a pipeline file', async () => {
    const yaml = blocks.filter(({ language }) => language === 'yaml');
    expect(await problemsOf(yaml, ownYamlProblems)).toEqual([]);
  });

  it('have JSON that is valid', async () => {
    const json = blocks.filter(({ language }) => language === 'json');
    expect(await problemsOf(json, jsonProblems)).toEqual([]);
  });
});

describe('codeBlocksIn', () => {
  it('finds blocks with their first line, also in lists', () => {
    const text = '# a\n```sh\nls\n```\n- item\n  ```yaml\n  a:\n    b: 1\n  ```\n````text\n```\n````';
    expect(codeBlocksIn('p', text)).toEqual([
      { page: 'p', line: 3, language: 'sh', text: 'ls' },
      { page: 'p', line: 7, language: 'yaml', text: 'a:\n  b: 1' },
      { page: 'p', line: 11, language: 'text', text: '```' },
    ]);
  });
});

describe('shellCommands', () => {
  it.each([
    [
      'A=1 npx equipoise plan a.yaml \\\n  --arrival-rps 5 # why',
      [['npx', 'equipoise', 'plan', 'a.yaml', '--arrival-rps', '5']],
    ],
    [
      `curl -d '{"a": "b # c"}' x | jq . >out 2>&1 &`,
      [
        ['curl', '-d', '{"a": "b # c"}', 'x'],
        ['jq', '.'],
      ],
    ],
    [
      'for m in a b; do\n  ssh "$m" \'x; y\' <in\ndone',
      [['for', 'm', 'in', 'a', 'b'], ['ssh', '$m', 'x; y'], ['done']],
    ],
    ['cd a && ls > f; pwd', [['cd', 'a'], ['ls'], ['pwd']]],
  ])('splits %j', (text, commands) => expect(shellCommands(text)).toEqual(commands));
});

describe('commandProblems', () => {
  it.each([
    ['npx equipoise plan a.yaml', "required option '--arrival-rps <n>'"],
    ['npx equipoise plan a.yaml --arrival-rps x', 'requests per second above 0'],
    ['equipoise serve a.yaml --prot 8080', "unknown option '--prot'"],
    ['equipoise serv a.yaml', "unknown command 'serv'"],
    ['docker run -v a:b equipoise profil a.yaml', "unknown command 'profil'"],
    ['npm run nothing', 'no such npm script'],
    ['kubectl apply -k deploy/nothing', 'no file deploy/nothing'],
    ['helm install x deploy/helm/equipoise --values=deploy/none.yaml', 'no file deploy/none.yaml'],
    ['curl --data-binary @examples/none.jpg http://x', 'no file examples/none.jpg'],
  ])('finds what is wrong with %j', async (text, problem) => {
    expect((await commandProblems(text)).join()).toContain(problem);
  });
});

describe('the quick start', () => {
  const page = [
    '# A',
    '## B',
    'Open http://127.0.0.1:8081/ and type `npx equipoise explain`, not `plan`.',
    '```sh',
    'npx equipoise serve a.yaml \\',
    '  --arrival-rps 5',
    '',
    'curl http://127.0.0.1:8080/run',
    '```',
    '## C',
    '```sh',
    'ls',
    '```',
  ].join('\n');

  it('has the commands and addresses of its section', () => {
    const { blocks, inText, urls } = sectionOf(page, 'B');
    expect(blocks).toEqual([['npx equipoise serve a.yaml   --arrival-rps 5', 'curl http://127.0.0.1:8080/run']]);
    expect([inText, urls]).toEqual([['npx equipoise explain'], ['http://127.0.0.1:8081/']]);
    expect(() => sectionOf(page, 'D')).toThrow('no section "D"');
  });

  it('is typed as it stands on its own ports, and moves as a whole to others', () => {
    const commands = sectionOf(page, 'B').blocks.flat();
    expect(commands.map(isServer)).toEqual([true, false]);
    expect(commands.map((command) => onPorts(command, PAGE_PORTS))).toEqual(commands);
    expect(commands.map((command) => onPorts(command, { serving: 1, admin: 2 }))).toEqual([
      'npx equipoise serve a.yaml   --arrival-rps 5 --port 1 --admin-port 2',
      'curl http://127.0.0.1:1/run',
    ]);
  });
});

describe('object problems', () => {
  it.each([
    ['stages:\n  - { name: a, modul: ./x.js }', '.stages[0].modul: unknown field'],
    ['stages: 3', '.stages: expected array'],
    ['things: 3', 'no part of a pipeline file'],
    ['a: [', ''],
    ['apiVersion: equipoise.dev/v1alpha1\nkind: InferencePipeline\nmetadata: { name: a }\nspec: { slo: {} }', 'slo'],
  ])('are found in %j', (text, problem) => {
    const problems = ownYamlProblems(text);
    expect(problems).not.toEqual([]);
    expect(problems.join()).toContain(problem);
  });

  it('are those of a server with strict validation', () => {
    const schema = {
      ...{ type: 'object', required: ['a'] },
      properties: {
        a: { 'x-kubernetes-int-or-string': true },
        b: { type: 'string', enum: ['x'] },
        c: { type: 'object', additionalProperties: { type: 'integer' } },
        d: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    } as const;
    const [value] = documentsOf('{ b: y, c: { z: 1.5 }, d: { free: 1 }, e: 1 }').values;
    expect(schemaProblems(value, schema)).toEqual([
      '.a: missing',
      '.b: y is none of x',
      '.c.z: expected integer',
      '.e: unknown field',
    ]);
    expect(schemaProblems({ a: '50%' }, schema)).toEqual([]);
  });
});
