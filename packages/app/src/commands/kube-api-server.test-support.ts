/**
 * API server for command tests: lists by label, silent watches, server-side apply, deletion. Its Deployments run at
 * once, or never.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

interface StoredObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: { readonly replicas?: number };
  readonly status?: unknown;
}

export const kubeconfigTo = (server: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'user', user: { token: 'secret' } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace: 'team' } }],
    'current-context': 'test',
  });

export class KubeApiServer {
  readonly objects = new Map<string, StoredObject>();
  /** Existing namespaces. */
  namespaces = ['team'];
  /** Pods become ready. */
  podsStart = true;
  /** Served resources; others are 404. */
  readonly served: ReadonlySet<string>;
  readonly #server = createServer(async (request, response) => {
    const { status, body } = this.#answer(request, await textOf(request));
    if (status === 200 && request.url?.includes('watch=true')) {
      // The watch stays silent.
      response.writeHead(200).flushHeaders();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });

  constructor(...served: readonly string[]) {
    this.served = new Set(served);
  }

  /** Starts on a free loopback port and returns its kubeconfig. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return kubeconfigTo(`http://127.0.0.1:${port}`);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer({ method, url = '' }: IncomingMessage, text: string): { readonly status: number; readonly body: unknown } {
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    const path = pathname.split('/').filter((part) => part !== '');
    // The resource and an optional name follow the namespace.
    const [resource = '', name] = path.slice(path.indexOf('namespaces') + 2);
    if (!this.served.has(resource)) return refusal(404, 'NotFound', 'the server could not find the requested resource');
    if (name === undefined) return { status: 200, body: this.#list(`${pathname}/`, searchParams.get('labelSelector')) };
    const before = this.objects.get(pathname);
    const namespace = path[path.indexOf('namespaces') + 1] ?? '';
    if (method === 'PATCH' && !this.namespaces.includes(namespace))
      return refusal(404, 'NotFound', `namespaces "${namespace}" not found`);
    if (method === 'PATCH') return { status: 200, body: this.#apply(pathname, JSON.parse(text) as StoredObject) };
    if (before === undefined) return refusal(404, 'NotFound', `${resource} "${name}" not found`);
    if (method === 'DELETE') this.objects.delete(pathname);
    return { status: 200, body: before };
  }

  #list(folder: string, selector: string | null) {
    const wanted = (selector ?? '').split(',').map((each) => each.split('='));
    const items = [...this.objects]
      .filter(([path, { metadata }]) => {
        const { labels = {} } = metadata;
        return path.startsWith(folder) && wanted.every(([label = '', value]) => labels[label] === value);
      })
      .map(([, object]) => object);
    return { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items };
  }

  #apply(path: string, object: StoredObject): StoredObject {
    const replicas = object.spec?.replicas;
    const running = { observedGeneration: 0, replicas, updatedReplicas: replicas, readyReplicas: replicas };
    const status = this.podsStart ? running : { observedGeneration: 0, replicas };
    const stored = object.kind === 'Deployment' ? { ...object, status } : object;
    this.objects.set(path, stored);
    return stored;
  }
}

const refusal = (code: number, reason: string, message: string) => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message },
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
