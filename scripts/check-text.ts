/**
 * Fails on Markdown links that lead nowhere, on pages of docs without a link from the map, and on text that is true on
 * one machine only. Also fails on long sentences and forbidden words in comments of shipped source, and on forbidden
 * words in pages.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { listComments } from './figures/comments.js';
import { findProseProblems, findWords, type ProseProblem } from './figures/prose-rules.js';
import { readProductionFiles } from './figures/source-files.js';
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
for (const parsed of readProductionFiles('.'))
  problems.push(...findProseProblems(listComments(parsed)).map((problem) => describeProse(parsed.file, problem)));
for (const page of files.filter((file) => file.endsWith('.md')))
  problems.push(...findWords(readFileSync(page, 'utf8')).map((problem) => describeProse(page, problem)));
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files: links lead somewhere, no machine paths, no registry hosts, plain prose.`);

function describeProse(file: string, { line, kind, found }: ProseProblem): string {
  const advice = {
    opening: 'begin with a noun phrase or a verb in the third person',
    word: 'say it in plain words',
    length: 'make it two sentences',
  };
  return `${file}:${line}: ${found}: ${advice[kind]}`;
}
