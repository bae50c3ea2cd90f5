/** Sends the body of a request and reads its whole answer. */
import type { ClientRequest } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** `sent` has the timeout (ms) of its socket. Rejects without a whole answer. */
export function answerTo(sent: ClientRequest, body: string, timeoutMs: number): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
