/** Loopback file server that can misbehave. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface FileServer {
  readonly url: string;
  readonly requests: IncomingMessage[];
  behave(...behaviours: readonly Behaviour[]): void;
  close(): Promise<void>;
}

export const gives =
  (content: string | Buffer, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  (_, response) => {
    response.writeHead(200, { 'content-length': String(Buffer.byteLength(content)), ...headers });
    response.end(content);
  };

export const refuses =
  (status: number): Behaviour =>
  (_, response) => {
    response.writeHead(status);
    response.end();
  };

/** Serves content with a tag, and 304 to a client that has the content. */
export const givesTagged =
  (content: string, etag: string): Behaviour =>
  (request, response) => {
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304);
      response.end();
    } else gives(content, { etag })(request, response);
  };

export async function startFileServer(): Promise<FileServer> {
  let behaviours: readonly Behaviour[] = [refuses(404)];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const [behaviour, ...rest] = behaviours as [Behaviour, ...Behaviour[]];
    if (rest.length > 0) behaviours = rest;
    behaviour(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    behave: (...next) => {
      behaviours = next;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
