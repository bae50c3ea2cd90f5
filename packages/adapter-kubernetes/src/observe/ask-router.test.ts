import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { accessThrough, askRouter, routerUrl } from './ask-router.js';

let server: Server | undefined;

async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}/metrics`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const never = new AbortController().signal;

describe('askRouter', () => {
  it('gives the page, over a connection that is kept', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end(`${request.url} é\n`);
    });
    for (let i = 0; i < 3; i++) expect(await askRouter(url, never)).toMatch(/^\/metrics\?.* é\n$/);
    expect(ports.size).toBe(1);
  });

  it('asks for no more of it than is read, a histogram by its name', async () => {
    const url = await serve((request, response) => response.end(request.url));
    const asked = new URL(await askRouter(url, never), url).searchParams.getAll('name[]');
    expect(asked).toEqual(expect.arrayContaining(['equipoise_arrivals_total', 'equipoise_request_duration_seconds']));
  });

  it('rejects what is no page, breaks off, does not end, or is not there', async () => {
    const busy = await serve((_request, response) => response.writeHead(503).end('starting'));
    await expect(askRouter(busy, never)).rejects.toThrow(`${busy} answers 503`);
    server?.close();
    const broken = await serve((_request, response) => {
      response.writeHead(200).write('half');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(askRouter(broken, never)).rejects.toThrow('aborted');
    server?.close();
    const endless = await serve((_request, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', write);
      };
      write();
    });
    await expect(askRouter(endless, never)).rejects.toThrow('does not come to an end');
    server?.closeAllConnections();
    server?.close();
    await expect(askRouter(endless, never)).rejects.toThrow('ECONNREFUSED');
  });

  it('ends with its signal', async () => {
    const url = await serve(() => {});
    const abort = new AbortController();
    const asked = askRouter(url, abort.signal);
    setTimeout(() => abort.abort(), 20);
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('routerUrl', () => {
  const pod = (podIP?: string) => ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'router' } },
    status: podIP === undefined ? {} : { podIP },
  });

  it.each([
    ['10.1.2.3', 'http://10.1.2.3:8080/metrics'],
    ['fd00::7', 'http://[fd00::7]:8080/metrics'],
    [undefined, undefined],
  ])('of %s is %s', (ip, url) => expect(routerUrl(pod(ip))).toBe(url));

  it.each([
    ['8080', 'http://10.1.2.3:8080/metrics'],
    ['15020', 'http://10.1.2.3:15020/stats/prometheus'],
  ])('is that of the merged page, if a sidecar has annotated the port %s', (port, url) => {
    const { metadata, ...rest } = pod('10.1.2.3');
    const annotated = { ...rest, metadata: { ...metadata, annotations: { 'prometheus.io/port': port } } };
    expect(routerUrl(annotated)).toBe(url);
  });
});

describe('accessThrough', () => {
  const pod = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'router-1', namespace: 'models' } },
    status: { podIP: '10.1.2.3' },
  };
  const question = { waitMs: 0, most: [], seconds: 3 };

  it('asks the API server for the page of a pod, with the credentials of the connection', async () => {
    const seen: (string | undefined)[] = [];
    const url = await serve(({ url: path, headers }, response) => {
      seen.push(headers.authorization);
      response.end(path);
    });
    const options = { headers: { authorization: 'Bearer secret' } };
    const access = accessThrough({
      serverUrl: new URL('/clusters/one/', url),
      requestOptions: () => Promise.resolve(options),
    });
    const place = access.urlOf(pod) ?? '';
    expect(new URL(place).pathname).toBe('/clusters/one/api/v1/namespaces/models/pods/router-1:8080/proxy/metrics');
    const page = await access.ask(place, never, question);
    expect(page).toMatch(/^\/clusters\/one\/api\/v1\/.*\/proxy\/metrics\?name\[\]=.*&seconds=3$/);
    expect(seen).toEqual(['Bearer secret']);
  });

  it('has no place before the pod has an address, and that of the merged page in a mesh', () => {
    const access = accessThrough({ serverUrl: new URL('https://server'), requestOptions: () => Promise.resolve({}) });
    expect(access.urlOf({ ...pod, status: {} })).toBeUndefined();
    const annotations = { 'prometheus.io/port': '15020' };
    const merged = { ...pod, metadata: { ...pod.metadata, annotations } };
    expect(access.urlOf(merged)).toBe(
      'https://server/api/v1/namespaces/models/pods/router-1:15020/proxy/stats/prometheus',
    );
  });

  it('rejects what the API server refuses', async () => {
    const url = await serve((_request, response) => response.writeHead(403).end('forbidden'));
    const access = accessThrough({ serverUrl: new URL(url), requestOptions: () => Promise.resolve({}) });
    await expect(access.ask(access.urlOf(pod) ?? '', never, question)).rejects.toThrow('answers 403');
  });
});
