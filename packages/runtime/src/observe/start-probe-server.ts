/** A port for those who look after a process that serves nobody: `/livez`, `/readyz` and `/metrics`. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ListeningPlace, placeText, refusalToListen } from '../open-inference/listening-place.js';
import type { MetricsPage } from './metrics-page.js';

/** Where to listen and what to tell. */
export interface ProbeServerOptions extends ListeningPlace {
  readonly isReady: () => boolean;
  readonly metrics: MetricsPage;
}

/** A port that answers. */
export interface RunningProbeServer {
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE for a place that cannot be listened on. */
export async function startProbeServer({
  isReady,
  metrics,
  ...place
}: ProbeServerOptions): Promise<RunningProbeServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.on('request', (request, response) => {
    request.resume();
    const say = (status: number, text: string, contentType = 'text/plain'): void => {
      response.writeHead(status, { 'content-type': contentType }).end(text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'GET alone\n');
    switch (new URL(request.url ?? '/', 'http://localhost').pathname) {
      case '/livez':
        return say(200, 'alive\n');
      case '/readyz':
        return isReady() ? say(200, 'ready\n') : say(503, 'the API server has not answered yet\n');
      case '/metrics':
        void metrics.text().then(
          (text) => say(200, text, metrics.contentType),
          () => say(500, 'no metrics\n'),
        );
        return undefined;
      default:
        return say(404, '/livez, /readyz, /metrics\n');
    }
  });
  await listening(server, place);
  const { port } = server.address() as AddressInfo;
  return { url: `http://${placeText({ ...place, port })}`, close: () => closed(server) };
}

function listening(server: Server, place: ListeningPlace): Promise<void> {
  placeText(place);
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(refusalToListen(place, { inUse: cause.code === 'EADDRINUSE', cause }));
    });
    server.listen(place.port, place.host, resolve);
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
