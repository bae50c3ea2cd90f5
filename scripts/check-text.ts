/** Fails on Markdown links that lead nowhere, on pages of docs that the map does not name, and on text that is true on one machine only. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findMachineText } from './machine-text.js';
import { findBrokenLinks, findUnmapped } from './markdown-links.js';

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
});
const files = listed.split('\0').filter((file) => file !== '' && existsSync(file));

const problems = files.flatMap((file) => {
  const content = readFileSync(file);
  if (content.includes(0)) return [];
  const links = file.endsWith('.md') ? findBrokenLinks(file, files) : [];
  return [
    ...links.map(({ line, target, reason }) => `${file}:${line}: ${target}: ${reason}`),
    ...findMachineText(content.toString('utf8')).map(
      ({ line, found }) =>
        `${file}:${line}: ${found}: a path or host of one machine; take it from a setting or leave it out`,
    ),
  ];
});

const MAP = 'docs/README.md';
for (const page of findUnmapped(MAP, files)) problems.push(`${page}: no link from ${MAP} leads here`);
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files: links lead somewhere, no machine paths, no registry hosts.`);
