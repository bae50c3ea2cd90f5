import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { probe, probes } from '../conformance/probe-resource.test-support.js';
import type { WatchEvent } from '../kube-api.js';
import { HttpKubeApi } from './http-kube-api.js';
import { type KubeConnection, kubeConnection } from './kube-connection.js';

const path = '/apis/test.equipoise.dev/v1/namespaces/n/probes';
const ref = { type: probes, namespace: 'n', name: 'a' };
const writer = { fieldManager: 'me' };
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Seen {
  readonly line: string;
  readonly type: string | undefined;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

const kubeconfigOf = (server: string, token = 'secret') => `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "${server}"}}]
users: [{name: u, user: {token: ${token}}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: team}}]
current-context: x
`;

/** API over a scripted server; `seen`: received requests. */
async function start(
  answer: (response: ServerResponse, request: IncomingMessage, seen: readonly Seen[]) => void,
  answerMs = 5_000,
) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    seen.push({
      line: `${request.method} ${decodeURIComponent(request.url ?? '')}`,
      type: request.headers['content-type'],
      authorization: request.headers.authorization,
      body: text === '' ? undefined : JSON.parse(text),
    });
    answer(response, request, seen);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const source = { kind: 'text', kubeconfig: kubeconfigOf(`http://127.0.0.1:${port}`) } as const;
  const connection: KubeConnection = await kubeConnection(source, { nowMs: () => 0 });
  closing.push(() => {
    connection.close();
    server.closeAllConnections();
    server.close();
  });
  return { api: new HttpKubeApi(connection, { answerMs }), connection, seen, server };
}

/** All answers of API servers have these fields. */
const typed = { kind: 'Probe', apiVersion: 'test.equipoise.dev/v1' };
const refused = { kind: 'Status', apiVersion: 'v1' };

const json = (status: number, body: unknown) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

async function all(events: AsyncIterable<WatchEvent>): Promise<WatchEvent[]> {
  const found: WatchEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe('HttpKubeApi', () => {
  it('drops idle connections after a request without an answer, because they broke with it', async () => {
    const known = new Set<unknown>();
    let isCut = false;
    const { api } = await start((response, { socket }) => {
      if (isCut && known.has(socket)) return;
      known.add(socket);
      json(200, { ...typed, metadata: {} })(response);
    }, 500);
    await Promise.all([api.get(ref), api.get(ref), api.get(ref)]);
    expect(known.size).toBe(3);
    isCut = true;
    await expect(api.get(ref)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(await api.get(ref)).toMatchObject(typed);
  });

  it('sends each call in the form that the API wants', async () => {
    const wanted = probe('n', 'a', { note: 'n' });
    const { api, seen, connection } = await start(
      json(200, { ...typed, metadata: { resourceVersion: '7' }, items: [] }),
    );
    await api.get(ref);
    await api.list({ type: probes, labelSelector: 'a=b' }, { limit: 5, continueToken: 't' });
    await api.create(probes, wanted, writer);
    await api.replace(probes, wanted, writer);
    await api.apply(probes, wanted, { ...writer, force: true });
    await api.applyStatus(probes, wanted, writer);
    await api.scale(ref, 3, writer);
    await api.delete(ref, { uid: 'u' });
    await api.delete(
      { type: { ...probes, group: '', plural: 'nodes', namespaced: false }, name: 'x' },
      { propagation: 'foreground' },
    );
    const named = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: '7' } };
    await api.setFinalizers(probes, named, ['test/hold'], writer);
    // The server gives a write up before this client does.
    const limit = 'timeout=3333ms';
    expect(seen.map(({ line, type }) => [line, type])).toEqual([
      [`GET ${path}/a`, undefined],
      ['GET /apis/test.equipoise.dev/v1/probes?labelSelector=a=b&limit=5&continue=t', undefined],
      [`POST ${path}?fieldManager=me&${limit}`, 'application/json'],
      [`PUT ${path}/a?fieldManager=me&${limit}`, 'application/json'],
      [`PATCH ${path}/a?fieldManager=me&force=true&${limit}`, 'application/apply-patch+yaml'],
      [`PATCH ${path}/a/status?fieldManager=me&${limit}`, 'application/apply-patch+yaml'],
      [`PATCH ${path}/a/scale?fieldManager=me&${limit}`, 'application/merge-patch+json'],
      [`DELETE ${path}/a?${limit}`, 'application/json'],
      [`DELETE /api/v1/nodes/x?${limit}`, 'application/json'],
      [`PATCH ${path}/a?fieldManager=me&${limit}`, 'application/merge-patch+json'],
    ]);
    expect(seen[9]?.body).toEqual({ metadata: { resourceVersion: '7', finalizers: ['test/hold'] } });
    expect(seen[2]?.body).toEqual(wanted);
    expect(seen[6]?.body).toEqual({ spec: { replicas: 3 } });
    expect(seen[7]?.body).toMatchObject({ propagationPolicy: 'Background', preconditions: { uid: 'u' } });
    expect(seen[8]?.body).toMatchObject({ propagationPolicy: 'Foreground', preconditions: {} });
    expect(new Set(seen.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']));
    expect(connection.namespace).toBe('team');
  });

  it.each([
    [409, 'AlreadyExists', 'already-exists'],
    [409, 'Conflict', 'conflict'],
    [404, 'NotFound', 'not-found'],
    [422, 'Invalid', 'invalid'],
  ])('makes a refusal of %i %s', async (status, reason, expected) => {
    const causes = [{ reason: 'FieldValueInvalid', message: 'must be small', field: 'spec.note' }];
    const { api } = await start(json(status, { ...refused, message: 'no', reason, details: { causes } }));
    expect(await api.create(probes, probe('n', 'a', {}), writer)).toEqual({
      kind: 'refused',
      reason: expected,
      message: 'no',
      causes,
    });
  });

  it.each([
    [403, false],
    [429, true],
    [500, true],
    [503, true],
  ])('rejects for %i, to be tried again: %s', async (status, retryable) => {
    const { api } = await start((response) => {
      response.setHeader('retry-after', '2');
      json(status, { ...refused, message: 'why' })(response);
    });
    const failure = { code: 'CLUSTER_REFUSED', retryable, details: { httpStatus: status, retryAfterSeconds: 2 } };
    await expect(api.get(ref)).rejects.toMatchObject(failure);
    await expect(api.apply(probes, probe('n', 'a', {}), writer)).rejects.toMatchObject({
      ...failure,
      message: `the API server answered ${status}: why`,
    });
  });

  it.each([
    ['a page to log in', 200, '<html>Log in</html>', 'status 200, “<html>Log in</html>”'],
    ['a page that leads elsewhere', 302, '', 'status 302, without a body'],
    ['JSON of another server', 200, '{"name":"equipoise"}', 'status 200, “{"name":"equipoise"}”'],
    [
      'a refusal of another server',
      404,
      '{"error":{"code":"NOT_FOUND"}}',
      'status 404, “{"error":{"code":"NOT_FOUND"}}”',
    ],
    ['a long page', 403, 'x'.repeat(99), `status 403, “${'x'.repeat(80)}…”`],
  ])('knows from %s that no API server answers', async (_, status, body, shown) => {
    const { api, connection } = await start((response) => response.writeHead(status).end(body));
    const expected = {
      code: 'CLUSTER_REFUSED',
      retryable: false,
      message: `what answers at ${connection.serverUrl.href} is no Kubernetes API server: ${shown}; check the server of the kubeconfig and its context`,
    };
    const from = { resourceVersion: '1', timeoutSeconds: 300 };
    await expect(api.get(ref)).rejects.toMatchObject(expected);
    await expect(api.list({ type: probes })).rejects.toMatchObject(expected);
    await expect(api.apply(probes, probe('n', 'a', {}), writer)).rejects.toMatchObject(expected);
    await expect(api.delete(ref)).rejects.toMatchObject(expected);
    if (status === 200) return;
    await expect(all(api.watch({ type: probes }, from, new AbortController().signal))).rejects.toMatchObject(expected);
  });

  it('takes a group that the API server does not serve for one', async () => {
    const { api } = await start((response) => response.writeHead(404).end('404 page not found\n'));
    expect(await api.get(ref)).toBeUndefined();
    await expect(api.list({ type: probes })).rejects.toMatchObject({
      message: 'the API server does not serve probes of test.equipoise.dev/v1',
      details: { httpStatus: 404, resource: 'probes' },
    });
  });

  it('says that a page is no JSON without falling over it', async () => {
    const { api } = await start((response) => response.writeHead(502).end('<html>'));
    await expect(api.get(ref)).rejects.toMatchObject({ message: 'the API server answered 502: no reason given' });
  });

  it('reads a stream of events, cut anywhere, to its end', async () => {
    const object = { ...probe('n', 'ä', {}), metadata: { name: 'ä', namespace: 'n', resourceVersion: '8' } };
    const bytes = Buffer.from(
      ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].map((type) => `${JSON.stringify({ type, object })}\n`).join(''),
    );
    const { api, seen } = await start((response) => {
      response.writeHead(200);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    });
    const from = { resourceVersion: '7', timeoutSeconds: 300 };
    const found = await all(api.watch({ type: probes, namespace: 'n' }, from, new AbortController().signal));
    expect(found).toEqual([
      { kind: 'added', object },
      { kind: 'modified', object },
      { kind: 'deleted', object },
      { kind: 'bookmark', resourceVersion: '8' },
    ]);
    expect(seen[0]?.line).toBe(`GET ${path}?resourceVersion=7&timeoutSeconds=300&watch=true&allowWatchBookmarks=true`);
  });

  it('knows a forgotten version from the status and from an event', async () => {
    const gone = { ...refused, code: 410, reason: 'Expired' };
    for (const answer of [json(410, gone), json(200, { type: 'ERROR', object: gone })]) {
      const { api } = await start(answer);
      const from = { resourceVersion: '1', timeoutSeconds: 300 };
      expect(await all(api.watch({ type: probes }, from, new AbortController().signal))).toEqual([{ kind: 'expired' }]);
    }
    const { api } = await start(json(410, gone));
    expect(await api.list({ type: probes }, { continueToken: 't' })).toEqual({ kind: 'expired' });
  });

  it('rejects when a stream breaks or tells an error, and ends in order when it is aborted', async () => {
    const from = { resourceVersion: '1', timeoutSeconds: 300 };
    const broken = await start((response) => {
      response.writeHead(200).write('{"type":');
      setImmediate(() => response.destroy());
    });
    const watched = all(broken.api.watch({ type: probes }, from, new AbortController().signal));
    await expect(watched).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });

    const failing = await start(json(200, { type: 'ERROR', object: { code: 500, message: 'etcd' } }));
    const failed = all(failing.api.watch({ type: probes }, from, new AbortController().signal));
    await expect(failed).rejects.toMatchObject({ code: 'CLUSTER_REFUSED', retryable: true });

    const abort = new AbortController();
    const open = await start((response) => {
      response.writeHead(200).flushHeaders();
      setImmediate(() => abort.abort());
    });
    expect(await all(open.api.watch({ type: probes }, from, abort.signal))).toEqual([]);
  });

  it('is UNREACHABLE where nobody listens', async () => {
    const { api, server } = await start(() => {});
    await new Promise((resolve) => server.close(resolve));
    await expect(api.get(ref)).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
    const from = { resourceVersion: '1', timeoutSeconds: 300 };
    const watched = all(api.watch({ type: probes }, from, new AbortController().signal));
    await expect(watched).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('gets its credentials anew after a 401, once', async () => {
    const { api, seen } = await start((response, _request, { length }) =>
      json(length === 1 ? 401 : 200, typed)(response),
    );
    await api.get(ref);
    expect(seen).toHaveLength(2);
    const { api: never, seen: asked } = await start(json(401, refused));
    await expect(never.get(ref)).rejects.toMatchObject({ details: { httpStatus: 401 } });
    expect(asked).toHaveLength(2);
  });

  it('uses one connection for requests that follow one another', async () => {
    const ports = new Set<number | undefined>();
    const { api } = await start((response, request) => {
      ports.add(request.socket.remotePort);
      json(200, typed)(response);
    });
    for (let i = 0; i < 5; i++) await api.get(ref);
    expect(ports.size).toBe(1);
  });
});

describe('kubeConnection', () => {
  it('says what a kubeconfig lacks', async () => {
    const clock = { nowMs: () => 0 };
    const nothing = { kind: 'text', kubeconfig: 'apiVersion: v1\nkind: Config\ncurrent-context: x\n' } as const;
    await expect(kubeConnection(nothing, clock)).rejects.toMatchObject({ code: 'WRONG_USAGE' });
    const unnamed = { kind: 'text', kubeconfig: 'apiVersion: v1\nkind: Config\n' } as const;
    await expect(kubeConnection(unnamed, clock)).rejects.toMatchObject({
      code: 'WRONG_USAGE',
      message: 'the kubeconfig has no current context; choose one with --context; its contexts: none',
    });
    const broken = { kind: 'text', kubeconfig: '{' } as const;
    await expect(kubeConnection(broken, clock)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    const missing = { kind: 'file', path: 'nowhere.yaml' } as const;
    await expect(kubeConnection(missing, clock)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: 'there is no kubeconfig nowhere.yaml',
    });
    const elsewhere = { kind: 'text', kubeconfig: kubeconfigOf('http://127.0.0.1:1'), context: 'y' } as const;
    await expect(kubeConnection(elsewhere, clock)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'the kubeconfig has no context y; it has x',
    });
  });

  const inPod = existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token');
  it.skipIf(inPod)('takes no server that nothing names (needs to run outside of a cluster)', async () => {
    vi.stubEnv('KUBECONFIG', '');
    vi.stubEnv('HOME', 'nowhere');
    const found = kubeConnection({ kind: 'default' }, { nowMs: () => 0 });
    await expect(found).rejects.toMatchObject({
      code: 'WRONG_USAGE',
      message: 'there is no kubeconfig; name one with --kubeconfig FILE or KUBECONFIG=FILE',
    });
    vi.unstubAllEnvs();
  });

  it('keeps credentials for a minute', async () => {
    let nowMs = 0;
    const kubeconfig = kubeconfigOf('http://127.0.0.1:1');
    const connection = await kubeConnection({ kind: 'text', kubeconfig }, { nowMs: () => nowMs });
    const first = await connection.requestOptions();
    nowMs = 59_000;
    expect(await connection.requestOptions()).toBe(first);
    nowMs = 60_000;
    const second = await connection.requestOptions();
    expect(second).not.toBe(first);
    expect(second.agent).toBe(first.agent);
    connection.close();
  });
});
