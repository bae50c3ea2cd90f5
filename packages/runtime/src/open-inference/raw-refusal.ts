/** What a client gets whose bytes are no HTTP request, or come too slowly to be one: there is no response object to write to. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '@equipoise/core/model';
import { refusal } from './refusal.js';

const reasonPhrases: Readonly<Record<number, string>> = { 400: 'Bad Request', 408: 'Request Timeout' };

/** Refuses on the bare socket, or only closes it where an earlier request still waits for its response. */
export function refuseRaw(error: NodeJS.ErrnoException, socket: Duplex, pending: ServerResponse | undefined): void {
  const othersWait = pending !== undefined && (pending.headersSent || pending.req.complete);
  if (error.code === 'ECONNRESET' || !socket.writable || othersWait) {
    socket.destroy();
    return;
  }
  const { status, text } = refusal(rawError(error.code));
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrases[status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
}

function rawError(code: string | undefined): AppError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('REQUEST_TIMEOUT', 'The request did not arrive in time.');
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('MALFORMED_REQUEST', 'The headers of the request are too large.');
    default:
      return new AppError('MALFORMED_REQUEST', 'The request is not HTTP/1.1.');
  }
}
