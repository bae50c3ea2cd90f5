import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { AppError, type InferenceServerSpec, invariant } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { FailedTries } from './failed-tries.js';
import { tokenFor } from './server-token.js';
import { cannotStart, clientOf, runnerOver, type ServerLimits, serverOf } from './start-server-runner.js';

const DEFAULT_LAUNCH_TIMEOUT_MS = 10_000;
/** Part of the time for one of several addresses, because packets to a pod that is gone may get no answer at all. */
const ONE_OF_SEVERAL_FRACTION = 0.1;

/** Time in which the server that a name has lost may come back: a pod that is replaced loads its model. */
const REPLACED_WITHIN_MS = 120_000;

/** URL of a server, and the URL that it was resolved from. `server` counts its replicas. */
interface Place {
  readonly url: string;
  readonly server: string;
  readonly given: string;
}

/** Number of addresses that a name had, and since when it has fewer. */
interface KnownAddresses {
  readonly count: number;
  readonly fewerSinceMs?: number;
}

/**
 * Launches replicas on running servers, each on an address with the fewest replicas. A name with several addresses, like
 * a headless Kubernetes service, is resolved at each start. Some of its servers may not be ready yet, or be gone, so all
 * addresses with the fewest replicas are tried. Others are not: a server would run the batches of two replicas at once,
 * also later. For the same reason a launch fails while a name has lost an address and each other one has a replica. If
 * the replicas are the addresses, no address ever has two. Once one of them has a replica, a launch tries one address.
 * It gets a part of the time, twice as much after each failure. Those that failed come last: one may be silent.
 */
export class RemoteReplicaLauncher implements ReplicaLauncher {
  readonly #limits: ServerLimits;
  readonly #resolve: ResolveName;
  readonly #nowMs: () => number;
  readonly #replicasAt = new Map<string, number>();
  readonly #addressesOf = new Map<string, KnownAddresses>();
  readonly #failedTries = new FailedTries();
  readonly #open: typeof clientOf;

  constructor(
    limits: ServerLimits = {},
    resolve: ResolveName = resolveName,
    nowMs: () => number = () => performance.now(),
    open: typeof clientOf = clientOf,
  ) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#nowMs = nowMs;
    this.#open = open;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const startedAtMs = performance.now();
    const { launchTimeoutMs = DEFAULT_LAUNCH_TIMEOUT_MS } = this.#limits;
    const follows = serverOf(request).replicas === 'addresses';
    const places = await (follows ? this.#addressedPlaces(request) : this.#placesOf(request));
    const fewest = Math.min(...places.map(({ server }) => this.#replicasOf(server)));
    if (fewest > 0 && follows) throw cannotStart(request, 'each address of its server has a replica.');
    const short = serverOf(request).urls.find((given) => this.#addressesOf.get(given)?.fewerSinceMs !== undefined);
    if (fewest > 0 && short !== undefined)
      throw cannotStart(request, `${short} has lost a server, and each other one has a replica.`);
    if (follows && places.some(({ server }) => this.#replicasOf(server) > 0)) {
      const runner = await this.#connectOne(places, request, launchTimeoutMs);
      return { runner, loadMs: performance.now() - startedAtMs };
    }
    const isFree = ({ server }: Place): boolean => this.#replicasOf(server) <= fewest;
    let failure: unknown;
    for (const [index, place] of places.entries()) {
      if (!isFree(place)) continue;
      const isLast = !places.slice(index + 1).some(isFree);
      const timeoutMs = isLast ? launchTimeoutMs : ONE_OF_SEVERAL_FRACTION * launchTimeoutMs;
      this.#count(place.server, 1);
      try {
        const runner = await this.#connect(place, request, timeoutMs);
        return { runner, loadMs: performance.now() - startedAtMs };
      } catch (error) {
        this.#count(place.server, -1);
        failure = error;
      }
    }
    throw failure instanceof AppError ? cannotStart(request, failure.message, failure) : failure;
  }

  /** Connects to an address without a replica: one that has not failed, or whose failure is the oldest. */
  async #connectOne(places: readonly Place[], request: LaunchRequest, launchTimeoutMs: number) {
    const tries = this.#failedTries;
    const servers = places.map(({ server }) => server);
    tries.keepOnly(serverOf(request).urls, servers);
    const [place] = tries.inOrder(places.filter(({ server }) => this.#replicasOf(server) === 0));
    invariant(place !== undefined, 'an address has no replica');
    const { server, given } = place;
    const timeoutMs = tries.timeoutMs(server, ONE_OF_SEVERAL_FRACTION * launchTimeoutMs, launchTimeoutMs);
    this.#count(server, 1);
    try {
      const runner = await this.#connect(place, request, timeoutMs);
      tries.succeeded(server);
      return runner;
    } catch (error) {
      this.#count(server, -1);
      tries.failed(server, given);
      throw error instanceof AppError ? cannotStart(request, error.message, error) : error;
    }
  }

  async #addressedPlaces(request: LaunchRequest): Promise<readonly Place[]> {
    try {
      return await addressedPlaces(serverOf(request), this.#resolve);
    } catch (error) {
      throw cannotStart(request, messageOf(error), error);
    }
  }

  /** Addresses of the server, each once. */
  async #placesOf(request: LaunchRequest): Promise<readonly Place[]> {
    const { urls } = serverOf(request);
    invariant(urls.length > 0, 'a server has at least one address');
    const resolved = await Promise.all(
      urls.map(async (given) => {
        const places = await placesOf(given, this.#resolve);
        this.#noteAddresses(given, places.length);
        return places;
      }),
    );
    return eachOnce(resolved.flat());
  }

  #noteAddresses(given: string, count: number): void {
    const known = this.#addressesOf.get(given);
    const { fewerSinceMs = this.#nowMs() } = known ?? {};
    const isShort = known !== undefined && count < known.count && this.#nowMs() - fewerSinceMs < REPLACED_WITHIN_MS;
    this.#addressesOf.set(given, isShort ? { count: known.count, fewerSinceMs } : { count });
  }

  async #connect({ url, server, given }: Place, request: LaunchRequest, timeoutMs: number) {
    const { model } = serverOf(request);
    const { decodeLarge } = this.#limits;
    const host = hostOf(url, given);
    const client = await this.#open(url, request, { timeoutMs, token: tokenFor(request), host, decodeLarge });
    if (!(await client.modelReady(model, { timeoutMs }))) {
      client.close();
      throw cannotStart(request, `the server ${url} has no model ${model} that is ready.`);
    }
    const release = async () => this.#count(server, -1);
    return runnerOver(client, request, { ...this.#limits, address: server, release });
  }

  #replicasOf(server: string): number {
    return this.#replicasAt.get(server) ?? 0;
  }

  #count(server: string, change: number): void {
    const replicas = this.#replicasOf(server) + change;
    if (replicas === 0) this.#replicasAt.delete(server);
    else this.#replicasAt.set(server, replicas);
  }
}

/** Resolves a name; rejects if it has no address. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

const resolveName: ResolveName = async (name) =>
  (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** Host of the name that an address replaced: proxies of a service mesh, and gateways, route by the name. REST only. */
const hostOf = (url: string, given: string): string | undefined =>
  url === given || !url.startsWith('http:') ? undefined : new URL(given).host;

const UNENCRYPTED = ['http:', 'grpc:'];

const eachOnce = (places: readonly Place[]): readonly Place[] => [
  ...new Map(places.map((place) => [place.server, place])).values(),
];

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One URL per address of the name, sorted; the URL itself for at most one address, or with TLS. */
export async function placesOf(given: string, resolve: ResolveName): Promise<readonly Place[]> {
  const itself: Place = { url: given, server: given, given };
  const places = await resolvedPlaces(given, resolve).catch(() => []);
  const [only, ...others] = places;
  if (only === undefined) return [itself];
  return others.length > 0 ? places : [{ ...itself, server: only.server }];
}

/** Addresses of a server now. Rejects if they are unknown, or if there are none. */
export async function serverAddresses(
  server: Pick<InferenceServerSpec, 'urls'>,
  resolve: ResolveName = resolveName,
): Promise<readonly string[]> {
  return (await addressedPlaces(server, resolve)).map((place) => place.server);
}

/** Codes of a name that has no address, in contrast to a name server that does not answer. */
const NO_ADDRESS = ['ENOTFOUND', 'ENODATA'];

/** One place per address of the names. Rejects if a name server does not answer, or if no name has an address. */
async function addressedPlaces(
  { urls }: Pick<InferenceServerSpec, 'urls'>,
  resolve: ResolveName,
): Promise<readonly Place[]> {
  let unknown: unknown;
  const resolved = await Promise.all(
    urls.map((given) =>
      resolvedPlaces(given, resolve).catch((error: unknown) => {
        unknown = error;
        if (NO_ADDRESS.includes((error as { readonly code?: string }).code ?? '')) return [];
        throw error;
      }),
    ),
  );
  const places = eachOnce(resolved.flat());
  if (places.length === 0) throw unknown;
  return places;
}

/** One URL per address of the name, sorted; the URL itself for an address, or with TLS. Rejects as `resolve` does. */
async function resolvedPlaces(given: string, resolve: ResolveName): Promise<readonly Place[]> {
  const itself: Place = { url: given, server: given, given };
  const parsed = URL.canParse(given) ? new URL(given) : undefined;
  if (parsed === undefined || !UNENCRYPTED.includes(parsed.protocol)) return [itself];
  if (isIP(parsed.hostname.replace(/^\[|\]$/g, '')) !== 0) return [itself];
  const addresses = await resolve(parsed.hostname);
  // An IPv4 and an IPv6 address may be the same server, so only one family counts.
  const families = [4, 6].map((family) => addresses.filter((address) => isIP(address) === family));
  const [ofFamily = []] = families.filter((each) => each.length > 0);
  return ofFamily.toSorted().map((address): Place => {
    const placed = new URL(parsed);
    placed.hostname = isIP(address) === 6 ? `[${address}]` : address;
    const url = placed.href.replace(/\/$/, '');
    return { url, server: url, given };
  });
}
