import { setFlagsFromString } from 'node:v8';

const SIZE_FLAG = /--max[-_]semi[-_]space[-_]size/;

/**
 * Gives threads that start later the default or their own limit. Only the serving thread needs the large young generation
 * of `bin/serving-node`. While a size is set, by an argument or by NODE_OPTIONS, threads get it, despite their limits.
 */
export function keepYoungGenerationToThisThread(): void {
  const { execArgv, env } = process;
  if (SIZE_FLAG.test([...execArgv, env['NODE_OPTIONS'] ?? ''].join(' '))) setFlagsFromString('--max-semi-space-size=0');
}
