/**
 * A token file: one line per token, `[TENANT] TOKEN [rps=N] [burst=N]`. Empty lines and lines that begin with # are
 * ignored. Without a name the tenant is `default`. A tenant may have several tokens, so that you can replace them one
 * by one.
 */
import { AppError } from '@equipoise/core/model';
import type { RateLimit } from '@equipoise/core/serve';

export interface TenantEntry {
  readonly name: string;
  readonly tokens: readonly string[];
  readonly limit: RateLimit | undefined;
}

/** Bounded, because tenant names become metric labels. */
const MOST_TENANTS = 100;
const MOST_TOKENS = 1000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const OPTION = /^(rps|burst)=(.*)$/;
const DEFAULT_TENANT = 'default';

interface Line {
  readonly tenant: string;
  readonly token: string;
  readonly limit: RateLimit | undefined;
}

/** AppError WRONG_USAGE names the wrong line, never its content. */
export function parseTenantFile(text: string, path: string): readonly TenantEntry[] {
  const tenants = new Map<string, TenantEntry>();
  const owners = new Map<string, number>();
  for (const [index, content] of text.split('\n').entries()) {
    const words = content.trim().split(/\s+/).filter(Boolean);
    if (words[0] === undefined || words[0].startsWith('#')) continue;
    const refuse = (problem: string) => refusal(`${path}, line ${index + 1}: ${problem}`);
    const line = parseLine(words, refuse);
    const earlier = owners.get(line.token);
    if (earlier !== undefined) throw refuse(`its token stands in line ${earlier} already`);
    owners.set(line.token, index + 1);
    tenants.set(line.tenant, added(tenants.get(line.tenant), line, refuse));
  }
  if (tenants.size === 0) throw refusal(`${path} holds no token; expected a line \`[TENANT] TOKEN [rps=N] [burst=N]\``);
  if (tenants.size > MOST_TENANTS) throw refusal(`${path} names ${tenants.size} tenants; ${MOST_TENANTS} are the most`);
  if (owners.size > MOST_TOKENS) throw refusal(`${path} holds ${owners.size} tokens; ${MOST_TOKENS} are the most`);
  return [...tenants.values()];
}

type Refuse = (problem: string) => AppError;

function parseLine(words: readonly string[], refuse: Refuse): Line {
  const named = words.filter((word) => !OPTION.test(word));
  const [first, second] = named;
  if (first === undefined || named.length > 2) throw refuse('expected `[TENANT] TOKEN [rps=N] [burst=N]`');
  const tenant = second === undefined ? DEFAULT_TENANT : first;
  if (!NAME.test(tenant)) {
    throw refuse(
      'the name of a tenant has 1 to 63 letters, digits, dots, hyphens or underscores and begins with a letter or digit',
    );
  }
  return { tenant, token: second ?? first, limit: limitOf(words, refuse) };
}

function limitOf(words: readonly string[], refuse: Refuse): RateLimit | undefined {
  const options = new Map<string, string>();
  for (const word of words) {
    const [, name, value] = OPTION.exec(word) ?? [];
    if (name !== undefined && value !== undefined) options.set(name, value);
  }
  if (options.size === 0) return undefined;
  const rps = Number(options.get('rps'));
  if (!(rps > 0 && rps < Number.POSITIVE_INFINITY)) throw refuse('rps= wants a number of requests a second above 0');
  const burst = options.has('burst') ? Number(options.get('burst')) : Math.max(1, Math.ceil(rps));
  if (!(Number.isSafeInteger(burst) && burst >= 1)) throw refuse('burst= wants an integer of at least 1');
  return { rps, burst };
}

function added(before: TenantEntry | undefined, { tenant, token, limit }: Line, refuse: Refuse): TenantEntry {
  if (before === undefined) return { name: tenant, tokens: [token], limit };
  const both = limit !== undefined && before.limit !== undefined;
  if (both && (limit.rps !== before.limit?.rps || limit.burst !== before.limit.burst)) {
    throw refuse('its tenant has another limit in a line before');
  }
  return { name: tenant, tokens: [...before.tokens, token], limit: before.limit ?? limit };
}

function refusal(problem: string): AppError {
  return new AppError('WRONG_USAGE', `The token file ${problem}.`);
}
