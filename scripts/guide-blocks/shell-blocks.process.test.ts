/** Shell and Python blocks of all pages: `bash -n`, shellcheck, Python's parser. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blocksOfRepository, isShell } from './code-blocks.js';

const isRunnable = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const toolOf = (name: string): Tool => ({ name, missing: `the program ${name}`, isPresent: () => isRunnable(name) });
const folder = mkdtempSync(join(tmpdir(), 'equipoise-blocks-'));
const blocks = blocksOfRepository();
/** Usage lines, not commands. */
const shell = blocks.filter((block) => isShell(block) && block.page !== 'docs/reference/cli.md');

/**
 * Not for lines that a reader types: a changed folder without a check (2164), variables of earlier blocks (2154) or for later ones
 * (2034), and `source` of a file that is not here (1091).
 */
const EXCLUDED = 'SC2164,SC2154,SC2034,SC1091';

let files: readonly string[] = [];

beforeAll(() => {
  files = shell.map(({ page, line, text }) => {
    const file = join(folder, `${page.replaceAll('/', '_')}-${line}.sh`);
    writeFileSync(file, `${text}\n`);
    return file;
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

describeWithTool(toolOf('bash'), 'shell blocks', () => {
  it('are commands that bash can read', () => {
    const script = 'for file; do bash -n "$file" || exit 1; done';
    const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', ...files], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

describeWithTool(toolOf('shellcheck'), 'shell blocks under shellcheck', () => {
  it('have no warning', () => {
    const args = ['--shell=bash', '--severity=warning', `--exclude=${EXCLUDED}`, '--format=gcc', ...files];
    expect(spawnSync('shellcheck', args, { encoding: 'utf8' }).stdout).toBe('');
  });
});

describeWithTool(toolOf('python3'), 'Python blocks', () => {
  it('are programs that Python can read', () => {
    const texts = blocks.filter(({ language }) => language === 'python');
    const program =
      'import ast, json, sys\nfor block in json.load(sys.stdin): ast.parse(block["text"], f"{block[\'page\']}:{block[\'line\']}")';
    const { stderr } = spawnSync('python3', ['-c', program], { input: JSON.stringify(texts), encoding: 'utf8' });
    expect(texts.length).toBeGreaterThan(0);
    expect(stderr).toBe('');
  });
});
