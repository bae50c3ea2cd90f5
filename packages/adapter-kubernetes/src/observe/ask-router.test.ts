import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askRouter, routerUrl } from './ask-router.js';

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
