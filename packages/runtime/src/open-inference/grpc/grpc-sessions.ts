/**
 * The connections of a gRPC port: each is looked after while it is open. One that does not answer a ping is cut off, one on which nothing
 * has been asked for a long time is closed.
 */
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import { OpenSessions } from '../open-sessions.js';

const PING_MS = { every: 60_000, timeout: 20_000 };
const IDLE_MS = 300_000;

/** The connections of `server`, which has none yet. */
export function grpcSessions(server: Http2Server | Http2SecureServer, windowBytes: number): OpenSessions {
  const open = new OpenSessions(server);
  server.on('session', (session) => {
    session.setLocalWindowSize(windowBytes);
    // A client whose side is closed cannot even take an answer: HTTP/2 needs it to grant room for it.
    session.socket.once('end', () => session.destroy());
    watch(session, open);
  });
  return open;
}

/** Looks after a connection until it closes. */
function watch(session: ServerHttp2Session, open: OpenSessions): void {
  let idleSinceMs = performance.now();
  session.on('stream', (stream) => {
    stream.once('close', () => {
      idleSinceMs = performance.now();
    });
  });
  let cutOff: NodeJS.Timeout | undefined;
  const look = () => {
    if (open.streamsOf(session).size === 0 && performance.now() - idleSinceMs >= IDLE_MS) {
      session.close();
      return;
    }
    clearTimeout(cutOff);
    cutOff = setTimeout(() => session.destroy(), PING_MS.timeout).unref();
    session.ping(() => clearTimeout(cutOff));
  };
  const timer = setInterval(look, PING_MS.every).unref();
  session.once('close', () => {
    clearInterval(timer);
    clearTimeout(cutOff);
  });
}
