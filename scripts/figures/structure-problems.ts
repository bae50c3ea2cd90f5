/** Figures that have to be zero. */
import { declaringFile } from './core-exports.js';
import type { Figures } from './figures.js';

/** One line per problem, with what to do. */
export function findStructureProblems({ core }: Pick<Figures, 'core'>): string[] {
  return [
    ...core.wildcards.map((wildcard) => `${wildcard}: name what the entry exports`),
    ...core.unused.map(
      (unused) =>
        `${unused.entry} exports ${unused.name} (${declaringFile(unused)}), which nobody outside core uses: take it out of the entry`,
    ),
  ];
}
