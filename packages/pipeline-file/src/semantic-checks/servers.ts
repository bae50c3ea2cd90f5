import { type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

type ServerDraft = NonNullable<NonNullable<NonNullable<StageDraft['variants']>[number]>['server']>;

const schemes = ['http:', 'https:', 'grpc:', 'grpcs:'];
const variables = ['port', 'port2', 'port3', 'cpuCores', 'threads'];

/** Finds servers next to a module, invalid addresses, environment variables without a command, and other replicas. */
export function* checkServers(spec: SpecDraft): Generator<Finding> {
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    for (const [position, { server }] of wellFormedEntries(stage.variants)) {
      if (server === undefined) continue;
      const path = ['spec', 'stages', index, 'variants', position, 'server'];
      if (stage.module !== undefined) {
        yield {
          path,
          message: 'expected no server on a variant of a stage with a module: one of the two does the stage',
        };
      }
      yield* checkAddresses(server, path);
      yield* checkVariables(server, path);
      yield* checkReplicas(server, stage, path);
    }
  }
}

function addressesOf({ url }: ServerDraft): readonly (string | undefined)[] {
  return typeof url === 'string' || url === undefined ? [url] : url;
}

function* checkAddresses(server: ServerDraft, path: ValuePath): Generator<Finding> {
  for (const address of addressesOf(server)) {
    if (address === undefined) continue;
    const filled = address.replaceAll(/\{\w+\}/g, '1');
    const known = URL.canParse(filled) && schemes.includes(new URL(filled).protocol) && new URL(filled).host !== '';
    if (known) continue;
    const message = `expected an address such as http://host:port or grpc://host:port, found "${address}"`;
    yield { path: [...path, 'url'], message };
  }
  if (server.command === undefined) return;
  const [address, ...others] = addressesOf(server);
  if (others.length > 0 || (address !== undefined && !address.includes('{port'))) {
    const message =
      'expected one address with {port}, such as http://127.0.0.1:{port}: each replica starts a server of its own';
    yield { path: [...path, 'url'], message };
  }
}

const addressable = ['http:', 'grpc:'];

function* checkReplicas(server: ServerDraft, { variants, pins }: StageDraft, path: ValuePath): Generator<Finding> {
  if (server.replicas === undefined) return;
  const place = [...path, 'replicas'];
  if (server.command !== undefined) {
    yield { path: place, message: 'expected no replicas with a command: each replica starts a server of its own' };
    return;
  }
  for (const address of addressesOf(server)) {
    if (address === undefined || !URL.canParse(address) || addressable.includes(new URL(address).protocol)) continue;
    const message = `expected addresses with http: or grpc: for replicas, because a certificate is that of the name, found "${address}"`;
    yield { path: place, message };
  }
  if ((variants ?? []).length > 1) {
    yield { path: place, message: 'expected one variant in a stage whose replicas are the addresses of a server' };
  }
  if (pins?.replicas !== undefined) {
    yield {
      path: place,
      message: 'expected no replicas in pins of a stage whose replicas are the addresses of a server',
    };
  }
}

function* checkVariables(server: ServerDraft, path: ValuePath): Generator<Finding> {
  const texts: readonly (readonly [ValuePath, string | undefined])[] = [
    ...addressesOf(server).map((address) => [[...path, 'url'], address] as const),
    ...(server.command ?? []).map((argument, index) => [[...path, 'command', index], argument] as const),
    ...Object.entries(server.environment ?? {}).map(
      ([name, value]) => [[...path, 'environment', name], value] as const,
    ),
  ];
  for (const [place, value = ''] of texts) {
    for (const [, name = ''] of value.matchAll(/\{(\w+)\}/g)) {
      if (server.command !== undefined && variables.includes(name)) continue;
      const message =
        server.command === undefined
          ? `expected no variable without a command, found {${name}}`
          : `expected one of {${variables.join('}, {')}}, found {${name}}`;
      yield { path: place, message };
    }
  }
  if (server.command === undefined && server.environment !== undefined) {
    yield { path: [...path, 'environment'], message: 'expected no environment without a command' };
  }
}
