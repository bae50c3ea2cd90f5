/**
 * Client of the discovery protocol by which Istio's control plane configures proxies (xDS, aggregated, state of the
 * world): gRPC over HTTP/2 without encryption, with the few messages that the tests read. Field numbers are those of
 * Envoy's API v3.
 */
import { connect } from 'node:http2';

const TYPES = 'type.googleapis.com/envoy.config';
const ROUTES = `${TYPES}.route.v3.RouteConfiguration`;
const CLUSTERS = `${TYPES}.cluster.v3.Cluster`;
const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const HEADER_BYTES = 5;

/** Fields of a message by number, undecoded. */
type Message = ReadonlyMap<number, readonly (Uint8Array | number)[]>;

const bytesOf = (message: Message | undefined, field: number): readonly Buffer[] =>
  (message?.get(field) ?? []).flatMap((value) => (typeof value === 'number' ? [] : [Buffer.from(value)]));
const messagesOf = (message: Message | undefined, field: number): readonly Message[] =>
  bytesOf(message, field).map(decoded);
const textOf = (message: Message | undefined, field: number): string => bytesOf(message, field)[0]?.toString() ?? '';

function decoded(bytes: Uint8Array): Message {
  const fields = new Map<number, (Uint8Array | number)[]>();
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  const slice = (length: number): Uint8Array => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key % 8;
    const value = kind === 0 ? varint() : slice(kind === 1 ? 8 : kind === 5 ? 4 : varint());
    const field = Math.floor(key / 8);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

function encodedLength(length: number): Buffer {
  const bytes: number[] = [];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest < 128 ? 0 : 128));
    if (rest < 128) return Buffer.from(bytes);
  }
}

/** A field of text or of a message. */
function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([encodedLength(number * 8 + 2), encodedLength(bytes.length), bytes]);
}

/** Destination of a route and its weight; a route to one destination has the weight 100. */
export interface RoutedCluster {
  readonly cluster: string;
  readonly weight: number;
}

/** A proxy: `namespace` and `address` of its pod. */
export interface ProxyIdentity {
  readonly namespace: string;
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** One answer for resources of a type, as a new proxy gets it. */
async function resourcesOf(
  url: string,
  { namespace, address, labels = {} }: ProxyIdentity,
  request: { readonly type: string; readonly names: readonly string[] },
): Promise<readonly Message[]> {
  const id = `sidecar~${address}~client.${namespace}~${namespace}.svc.cluster.local`;
  const entry = (key: string, value: Buffer) => field(1, Buffer.concat([field(1, key), field(2, value)]));
  const labelEntries = Object.entries(labels).map(([label, value]) => entry(label, field(3, value)));
  const metadata = [entry('NAMESPACE', field(3, namespace)), entry('LABELS', field(5, Buffer.concat(labelEntries)))];
  const node = Buffer.concat([field(1, id), field(3, Buffer.concat(metadata))]);
  const names = request.names.map((name) => field(3, name));
  const body = Buffer.concat([field(2, node), ...names, field(4, request.type)]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(body.length, 1);
  const session = connect(url);
  try {
    return await new Promise<readonly Message[]>((resolve, reject) => {
      const headers = { ':method': 'POST', ':path': METHOD, 'content-type': 'application/grpc', te: 'trailers' };
      const stream = session.request(headers);
      let received = Buffer.alloc(0);
      session.on('error', reject);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the stream ended without an answer')));
      stream.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < HEADER_BYTES) return;
        const length = received.readUInt32BE(1);
        if (received.length < HEADER_BYTES + length) return;
        const answer = decoded(received.subarray(HEADER_BYTES, HEADER_BYTES + length));
        resolve(messagesOf(answer, 2).map((any) => decoded(bytesOf(any, 2)[0] ?? Buffer.alloc(0))));
      });
      stream.write(Buffer.concat([header, body]));
    });
  } finally {
    session.destroy();
  }
}

/** Destinations of requests to `host`, on the routes of a port. */
export async function routedClusters(
  url: string,
  proxy: ProxyIdentity,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<readonly RoutedCluster[]> {
  const configurations = await resourcesOf(url, proxy, { type: ROUTES, names: [String(port)] });
  const hosts = configurations.flatMap((configuration) => messagesOf(configuration, 2));
  const found = hosts.find((each) => bytesOf(each, 2).some((domain) => domain.toString() === host));
  return messagesOf(found, 3).flatMap((route) => {
    const [action] = messagesOf(route, 2);
    const [weighted] = messagesOf(action, 3);
    if (weighted === undefined) return [{ cluster: textOf(action, 1), weight: 100 }];
    return messagesOf(weighted, 1).map((each) => {
      const [weight] = messagesOf(each, 2);
      return { cluster: textOf(each, 1), weight: Number(weight?.get(1)?.[0] ?? 0) };
    });
  });
}

/** Names of the clusters to which a proxy encrypts everything. */
export async function encryptedClusters(url: string, proxy: ProxyIdentity): Promise<readonly string[]> {
  const clusters = await resourcesOf(url, proxy, { type: CLUSTERS, names: [] });
  const transportSocket = 24;
  return clusters.filter((cluster) => cluster.has(transportSocket)).map((cluster) => textOf(cluster, 1));
}

/** Names of all clusters. */
export async function clusterNames(url: string, proxy: ProxyIdentity): Promise<readonly string[]> {
  const clusters = await resourcesOf(url, proxy, { type: CLUSTERS, names: [] });
  return clusters.map((cluster) => textOf(cluster, 1));
}
