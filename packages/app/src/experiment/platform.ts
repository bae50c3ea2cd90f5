import { InvalidArgumentError } from 'commander';

/** Places where a cell runs, the default first. */
const platforms = ['simulator', 'embedded', 'cluster'] as const;

export type Platform = (typeof platforms)[number];

/** Platforms of an experiment, each once. */
export function platformNames(text: string): readonly Platform[] {
  const names = text.split(',').flatMap((name) => platforms.find((platform) => platform === name) ?? []);
  if (names.length === text.split(',').length && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError(`Expected names separated by commas, each once: ${platforms.join(', ')}.`);
}
