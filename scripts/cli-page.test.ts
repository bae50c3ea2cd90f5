import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildProgram, commandsOf } from '../packages/app/src/build-program.js';
import { renderCliPage } from './cli-page.js';
import { jsonShapes } from './json-shapes.js';

test('the page of commands is up to date', () => {
  expect(readFileSync('docs/reference/cli.md', 'utf8')).toBe(renderCliPage());
});

test('the page has each command once, with every flag', () => {
  const page = renderCliPage();
  for (const { name, command } of commandsOf(buildProgram())) {
    const sections = page.split('\n## ').filter((section) => section.startsWith(`${name}\n`));
    expect(sections).toHaveLength(1);
    for (const { flags } of command.options) expect(sections[0]).toContain(`| \`${flags}\` |`);
  }
});

test('the commands that take --json are those whose JSON is described', () => {
  const takingJson = commandsOf(buildProgram()).filter(({ command }) =>
    command.options.some(({ long }) => long === '--json'),
  );
  expect(takingJson.map(({ name }) => name).sort()).toEqual(Object.keys(jsonShapes).sort());
});
