/** Figures that have to be zero. */
import { declaringFile } from './core-exports.js';
import type { Figures } from './figures.js';

/** One line per problem, with what to do. */
export function findStructureProblems({ backArrows, core }: Pick<Figures, 'backArrows' | 'core'>): string[] {
  return [
    ...backArrows.flatMap(({ from, to, imports }) =>
      imports.map(
        (each) =>
          `${each.from} imports ${each.to}, but ${to} depends on ${from}: move what they share to the lower folder`,
      ),
    ),
    ...core.wildcards.map((wildcard) => `${wildcard}: name what the entry exports`),
    ...core.unused.map(
      (unused) =>
        `${unused.entry} exports ${unused.name} (${declaringFile(unused)}), which has no use outside core: take it out of the entry`,
    ),
  ];
}
