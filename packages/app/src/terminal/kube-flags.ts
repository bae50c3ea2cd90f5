import { InvalidArgumentError } from 'commander';

/** Parses the name of a namespace. */
export function namespace(text: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a namespace: at most 63 of a–z, 0–9 and -, a letter or digit at both ends.');
}
