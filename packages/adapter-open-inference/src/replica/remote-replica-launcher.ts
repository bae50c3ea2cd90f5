import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { AppError, invariant } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { tokenFor } from './server-token.js';
import { cannotStart, clientOf, runnerOver, type ServerLimits, serverOf } from './start-server-runner.js';

const DEFAULT_LAUNCH_TIMEOUT_MS = 10_000;

/**
 * Launches replicas on running servers, each on the address with the fewest replicas. A name with several addresses,
 * like a headless Kubernetes service, is resolved at each start.
 */
export class RemoteReplicaLauncher implements ReplicaLauncher {
  readonly #limits: ServerLimits;
  readonly #resolve: ResolveName;
  readonly #replicasAt = new Map<string, number>();

  constructor(limits: ServerLimits = {}, resolve: ResolveName = resolveName) {
    this.#limits = limits;
    this.#resolve = resolve;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const { urls } = serverOf(request);
    const places = await Promise.all(
      urls.map(async (given) => (await addressesOf(given, this.#resolve)).map((url) => [url, given] as const)),
    );
    const givenOf = new Map(places.flat());
    const url = this.#leastUsed([...givenOf.keys()]);
    this.#count(url, 1);
    try {
      const runner = await this.#connect(url, givenOf.get(url) ?? url, request);
      return { runner, loadMs: performance.now() - startedAtMs };
    } catch (error) {
      this.#count(url, -1);
      throw error instanceof AppError ? cannotStart(request, error.message, error) : error;
    }
  }

  async #connect(url: string, given: string, request: LaunchRequest) {
    const { launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS } = this.#limits;
    const { model } = serverOf(request);
    const host = hostOf(url, given);
    const client = await clientOf(url, request, { timeoutMs: launchTimeoutMs, token: tokenFor(request), host });
    if (!(await client.modelReady(model, { timeoutMs: launchTimeoutMs }))) {
      client.close();
      throw cannotStart(request, `the server ${url} has no model ${model} that is ready.`);
    }
    return runnerOver(client, request, { ...this.#limits, release: async () => this.#count(url, -1) });
  }

  #leastUsed([first, ...others]: readonly string[]): string {
    invariant(first !== undefined, 'a server has at least one address');
    return others.reduce((least, url) => (this.#replicasOf(url) < this.#replicasOf(least) ? url : least), first);
  }

  #replicasOf(url: string): number {
    return this.#replicasAt.get(url) ?? 0;
  }

  #count(url: string, change: number): void {
    this.#replicasAt.set(url, this.#replicasOf(url) + change);
  }
}

/** Resolves a name; rejects if it has no address. */
type ResolveName = (name: string) => Promise<readonly string[]>;

const resolveName: ResolveName = async (name) =>
  (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** Host of the name that an address replaced: proxies of a service mesh, and gateways, route by the name. REST only. */
const hostOf = (url: string, given: string): string | undefined =>
  url === given || !url.startsWith('http:') ? undefined : new URL(given).host;

const UNENCRYPTED = ['http:', 'grpc:'];

/** One URL per address of the name, sorted; the URL itself for at most one address, or with TLS. */
export async function addressesOf(url: string, resolve: ResolveName): Promise<readonly string[]> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !UNENCRYPTED.includes(parsed.protocol)) return [url];
  if (isIP(parsed.hostname.replace(/^\[|\]$/g, '')) !== 0) return [url];
  const addresses = await resolve(parsed.hostname).catch(() => []);
  // An IPv4 and an IPv6 address may be the same server, so only one family counts.
  const families = [4, 6].map((family) => addresses.filter((address) => isIP(address) === family));
  const [ofFamily = []] = families.filter((each) => each.length > 0);
  if (ofFamily.length < 2) return [url];
  return ofFamily.toSorted().map((address) => {
    const placed = new URL(parsed);
    placed.hostname = isIP(address) === 6 ? `[${address}]` : address;
    return placed.href.replace(/\/$/, '');
  });
}
