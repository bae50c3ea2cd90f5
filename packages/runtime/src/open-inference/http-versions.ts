/**
 * Which version of HTTP a connection speaks. Over TLS client and server agree on it in the handshake (ALPN). Without TLS the first bytes
 * tell: a client that knows that the server can do HTTP/2 begins with a fixed preface, whose first word is no method of HTTP/1.1
 * (RFC 9113 §3.3, §3.4). Everything else is left to HTTP/1.1, which knows how to refuse it.
 */
import type { Server } from 'node:http';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Of the preface `PRI * HTTP/2.0…` as much as no request of HTTP/1.1 begins with. */
const PREFACE = Buffer.from('PRI ');

type OnConnection = (socket: Socket) => void;

/** Lets the connections of `http1` that agreed on HTTP/2 be served by `http2`. */
export function byAgreement(http1: Server, http2: Http2Server): void {
  const serveHttp1 = takeOver(http1, 'secureConnection');
  http1.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') serveHttp2(http2, socket);
    else serveHttp1(socket);
  });
}

/** Lets the connections of `http1` that begin with the preface be served by `http2`; one that sends nothing for `timeoutMs` is closed. */
export function byPreface(http1: Server, http2: Http2Server, timeoutMs: number): void {
  const serveHttp1 = takeOver(http1, 'connection');
  http1.on('connection', (socket: Socket) => {
    const silent = setTimeout(() => socket.destroy(), timeoutMs);
    const stopWaiting = () => clearTimeout(silent);
    const reset = () => socket.destroy();
    socket.once('close', stopWaiting);
    socket.on('error', reset);
    firstBytes(socket, (speaksHttp2) => {
      stopWaiting();
      socket.off('close', stopWaiting);
      socket.off('error', reset);
      if (speaksHttp2) serveHttp2(http2, socket);
      else serveHttp1(socket);
    });
  });
}

/** A client whose side of the connection is closed cannot even take an answer: HTTP/2 needs it to grant room for it. */
function serveHttp2(http2: Http2Server, socket: Socket): void {
  const watch = (session: ServerHttp2Session) => socket.once('end', () => session.destroy());
  http2.once('session', watch);
  http2.emit('connection', socket);
  http2.off('session', watch);
}

/** Calls back once it is known whether the first bytes are those of the preface; they are there to be read again. */
function firstBytes(socket: Socket, decided: (speaksHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const common = Math.min(seen.length, PREFACE.length);
    const isPrefix = seen.subarray(0, common).equals(PREFACE.subarray(0, common));
    if (isPrefix && seen.length < PREFACE.length) return;
    socket.off('readable', look);
    socket.off('end', tooLittle);
    socket.unshift(seen);
    decided(isPrefix);
  };
  const tooLittle = () => socket.destroy();
  socket.on('readable', look);
  socket.once('end', tooLittle);
}

/** Takes Node's own listener off, which serves every connection as HTTP/1.1, and gives it back. */
function takeOver(server: Server, event: 'connection' | 'secureConnection'): OnConnection {
  const own = server.listeners(event).at(-1) as OnConnection;
  server.off(event, own);
  return (socket) => own.call(server, socket);
}
