/**
 * One HTTP request from its headers to its response: finds the endpoint, lets it read the body, writes what it answers. Whatever an
 * endpoint throws becomes a response. A body that nobody wanted is discarded for a moment after the response, so that a client that is
 * still sending gets to read it, and then cut off.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import type { Answer } from './answer.js';
import { type AnsweredCall, codeOf } from './answered-call.js';
import { readBody } from './read-body.js';
import { dropError, refusal } from './refusal.js';
import { readRequestId } from './request-id.js';
import type { Purpose, RouteTable } from './routes.js';
import { reportFailure, type ServingSetting } from './serving-setting.js';

const LINGER_MS = 2000;

/** What all exchanges of a server have in common. */
export interface ExchangeSetting extends ServingSetting {
  readonly table: RouteTable;
}

/** The two ends of an exchange; `awaitsContinue` when the client holds its body back until it is asked for it. */
export interface Wire {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
}

/** Answers one request; never rejects. */
export async function exchange(setting: ExchangeSetting, wire: Wire): Promise<void> {
  const requestId = readRequestId(wire.request.headers['x-request-id']);
  const gone = new AbortController();
  wire.response.on('close', () => {
    if (!wire.response.writableFinished) gone.abort();
  });
  const onReading = () => {
    if (wire.awaitsContinue) wire.response.writeContinue();
  };
  const answer = await answerTo(setting, wire, { requestId, signal: gone.signal, onReading });
  write(wire, answer, { 'x-request-id': requestId, ...(setting.closing() && { connection: 'close' }) });
}

interface CallParts {
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly onReading: () => void;
}

async function answerTo(setting: ExchangeSetting, { request }: Wire, parts: CallParts): Promise<Answer> {
  const { requestId, signal, onReading } = parts;
  let purpose: Purpose | undefined;
  const count = (code: AnsweredCall['code']) => {
    if (purpose !== 'probe' && purpose !== 'metrics') setting.onAnswer({ protocol: 'rest', code });
  };
  try {
    const [path = '', query] = splitOnce(request.url ?? '', '?');
    const match = setting.table.find(request.method ?? '', path);
    const { endpoint, pipelineName } = match;
    purpose = match.purpose;
    if (purpose !== 'probe') setting.token?.check(request.headers.authorization);
    const closing = setting.closing();
    if (closing && request.method === 'POST') throw dropError('draining');
    const answer = await endpoint({
      pipelines: setting.pipelines,
      pipelineName,
      requestId,
      mediaType: mediaTypeOf(request.headers['content-type']),
      query: new URLSearchParams(query),
      headers: request.headers,
      signal,
      closing,
      readBody: (layout) =>
        readBody(request, { maxBodyBytes: setting.maxBodyBytes, beforeReading: onReading, ...layout }),
    });
    count('OK');
    return answer;
  } catch (error) {
    reportFailure(setting, error);
    count(codeOf(error));
    return refusal(error);
  }
}

function write({ request, response }: Wire, answer: Answer, headers: Readonly<Record<string, string>>): void {
  if (request.socket.destroyed || response.headersSent) return;
  const text = Buffer.from(answer.text);
  const { raw = [], contentType = 'application/json' } = answer;
  response.writeHead(answer.status, {
    ...(answer.raw === undefined
      ? { 'content-type': contentType }
      : { 'content-type': BINARY_MEDIA_TYPE, [JSON_LENGTH_HEADER]: text.length }),
    'content-length': raw.reduce((length, bytes) => length + bytes.length, text.length),
    ...headers,
    ...answer.headers,
  });
  if (request.method === 'HEAD') response.end();
  else writeBody(response, [text, ...raw]);
  if (!request.complete) discardRest(request);
}

/** In one go, without putting the parts together. */
function writeBody(response: ServerResponse, parts: readonly Uint8Array[]): void {
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
  response.uncork();
}

function discardRest(request: IncomingMessage): void {
  request.resume();
  const cutOff = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(cutOff));
}

function mediaTypeOf(header: string | undefined): string | undefined {
  const [type = ''] = splitOnce(header ?? '', ';');
  return type.trim().toLowerCase() || undefined;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
