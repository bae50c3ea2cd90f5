/**
 * The connections of a gRPC port: each is looked after while it is open. One that does not answer a ping is cut off, one on which nothing
 * has been asked for a long time is closed.
 */
import { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

const PING_MS = { every: 60_000, timeout: 20_000 };
const IDLE_MS = 300_000;

/** Connections that are open. */
export class GrpcSessions {
  readonly #sessions = new Map<ServerHttp2Session, ReadonlySet<ServerHttp2Stream>>();

  constructor(server: Http2Server, windowBytes: number) {
    server.on('session', (session) => {
      const calls = new Set<ServerHttp2Stream>();
      this.#sessions.set(session, calls);
      session.on('error', () => session.destroy());
      session.setLocalWindowSize(windowBytes);
      // A client whose side is closed cannot even take an answer: HTTP/2 needs it to grant room for it.
      session.socket.once('end', () => session.destroy());
      const stop = watch(session, calls);
      session.once('close', () => {
        stop();
        this.#sessions.delete(session);
      });
    });
  }

  /** Lets the calls under way end, and takes no more. */
  closeAll(): void {
    for (const session of this.#sessions.keys()) session.close();
  }

  /** Cuts off the calls under way, which end as cancelled, and then their connections. */
  destroyAll(): void {
    for (const calls of this.#sessions.values()) for (const call of calls) call.close(constants.NGHTTP2_CANCEL);
    setImmediate(() => {
      for (const session of this.#sessions.keys()) session.destroy();
    });
  }
}

/** Looks after a connection and its calls; the returned function ends that. */
function watch(session: ServerHttp2Session, calls: Set<ServerHttp2Stream>): () => void {
  let idleSinceMs = performance.now();
  session.on('stream', (stream) => {
    calls.add(stream);
    stream.once('close', () => {
      calls.delete(stream);
      idleSinceMs = performance.now();
    });
  });
  let cutOff: NodeJS.Timeout | undefined;
  const look = () => {
    if (calls.size === 0 && performance.now() - idleSinceMs >= IDLE_MS) {
      session.close();
      return;
    }
    clearTimeout(cutOff);
    cutOff = setTimeout(() => session.destroy(), PING_MS.timeout).unref();
    session.ping(() => clearTimeout(cutOff));
  };
  const timer = setInterval(look, PING_MS.every).unref();
  return () => {
    clearInterval(timer);
    clearTimeout(cutOff);
  };
}
