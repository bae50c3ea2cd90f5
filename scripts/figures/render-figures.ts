/** Figures as text for a terminal. */
import { declaringFile } from './core-exports.js';
import { type Figures, splitByDepth } from './figures.js';
import type { ProseProblem } from './prose-rules.js';
import type { TickFigures } from './tick/tick-figures.js';

/** One line per figure, then one per package. */
export function renderFigures(figures: Figures): string {
  const { core, shape } = figures;
  const { top, deeper } = splitByDepth(figures.backArrows);
  const alternatives = figures.crumbs.filter(({ isAlternative }) => isAlternative).length;
  const [fullest] = figures.fullestFolders;
  const rows: readonly (readonly [string, string | number])[] = [
    ['production files', figures.files],
    ['production lines', figures.lines],
    ['words in comments', figures.commentWords],
    ['comments with a forbidden opening', countKind(figures, 'opening')],
    ['forbidden words in comments', countKind(figures, 'word')],
    ['sentences over 30 words in doc comments', countKind(figures, 'length')],
    ['crumbs, alternatives of a registry apart', figures.crumbs.length - alternatives],
    ['crumbs that are alternatives of a registry', alternatives],
    ['files in the fullest folder', fullest === undefined ? 0 : `${fullest.count} (${fullest.name})`],
    ['arrows between folders of a package that run back up', top.length],
    ['the same between deeper folders', deeper.length],
    ['names exported by core', core.names],
    ['export * in entries of core', core.wildcards.length],
    ['names exported by core, unused outside', core.unused.length],
    ['names exported by core, used by tests and benchmarks only', core.testsOnly.length],
    ['functions', shape.functions],
    ['functions per file', shape.functionsPerFile.toFixed(1)],
    ['lines of a function, p50 / p90 / longest', quantiles(shape.functionLines)],
    ['lines of a file, p50 / p90 / longest', quantiles(shape.fileLines)],
    ['spreads of a literal, ...{ a, b }', shape.literalSpreads],
    ['conditional spreads', shape.conditionalSpreads],
  ];
  const packages = figures.packages.map(
    ({ name, files, lines, commentWords }) =>
      `${name.padEnd(24)}${[files, lines, commentWords].map((value) => String(value).padStart(8)).join('')}`,
  );
  return [
    ...rows.map(([name, value]) => `${name.padEnd(60)}${value}`),
    '',
    `${'package'.padEnd(24)}${['files', 'lines', 'words'].map((title) => title.padStart(8)).join('')}`,
    ...packages,
  ].join('\n');
}

/** Places of the figures, in files whose path begins with `under`. */
export function renderPlaces({ prose, crumbs, backArrows, core, fullestFolders }: Figures, under: string): string {
  const arrows = backArrows.flatMap(({ from, to, imports }) =>
    imports.map((each) => ({ file: each.from, text: `${from} -> ${to}: ${each.from} imports ${each.to}` })),
  );
  const places = [
    ...fullestFolders.map(({ name, count }) => ({ file: name, text: `folder ${name}: ${count} files` })),
    ...crumbs.map(({ file, importer, lines, isAlternative }) => ({
      file,
      text: `crumb ${file}: ${lines} lines, imported by ${importer}${isAlternative ? ' (alternative)' : ''}`,
    })),
    ...arrows.map(({ file, text }) => ({ file, text: `back arrow ${text}` })),
    ...core.wildcards.map((text) => ({ file: text, text: `wildcard ${text}` })),
    ...core.unused.map((unused) => ({
      file: declaringFile(unused),
      text: `unused export of ${unused.entry}: ${unused.name} (${declaringFile(unused)})`,
    })),
    ...prose.map(({ file, line, kind, found }) => ({ file, text: `${kind} ${file}:${line}: ${found}` })),
  ];
  return places
    .filter(({ file }) => file.startsWith(under))
    .map(({ text }) => text)
    .join('\n');
}

/** Functions and files of a tick: counts, then the names. */
export function renderTick({ path, pathFiles, observing, deciding }: TickFigures): string {
  const list = (title: string, places: readonly string[]): string =>
    [`${title}: ${places.length}`, ...places].join('\n  ');
  return [
    list('functions on the stacks from the timer to controlStep', path),
    list('files of these functions', pathFiles),
    list('files of core that the planner visits before the solver', deciding),
    list('files of core that the server visits before it asks the planner', observing),
  ].join('\n');
}

function countKind({ prose }: Figures, kind: ProseProblem['kind']): number {
  return prose.filter((problem) => problem.kind === kind).length;
}

function quantiles({ p50, p90, longest }: Figures['shape']['fileLines']): string {
  return `${p50} / ${p90} / ${longest}`;
}
