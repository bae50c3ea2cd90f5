import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage, inferRequest } from '../../http2-frames.js';
import { pngImage } from '../../png-image.js';

const CONNECTIONS = 6;
const CALLS = 200;

export const attack = defineAttack(import.meta.url, {
  does: 'six connections hold 200 images each with a deadline of an hour, more than a queue has places, in 1.5 MB',
  bound:
    'requests with less time left go first, do not wait behind patient ones, and take their places in a full queue',
  port: 'grpc',
  run(client) {
    const message = grpcMessage(inferRequest(pngImage({ widthPx: 1000, heightPx: 1000 })));
    for (let count = 0; count < CONNECTIONS; count++) {
      const session = client.session();
      const call = (): void => {
        if (!client.isRunning || session.closed || session.destroyed) return;
        const headers = { ':method': 'POST', ':path': MODEL_INFER, 'content-type': 'application/grpc', te: 'trailers' };
        const stream = session.request({ ...headers, 'grpc-timeout': '3600S' });
        const note = ({ 'grpc-status': status }: Record<string, unknown>): void => {
          if (status !== undefined) client.note(`grpc-${status}`);
        };
        stream.on('response', note).on('trailers', note);
        stream.on('error', () => client.note('closed'));
        // An answered call is replaced at once, a refused one after a second.
        stream.once('close', () => setTimeout(call, stream.rstCode === 0 ? 0 : 1000));
        stream.resume();
        stream.end(message);
      };
      for (let each = 0; each < CALLS; each++) call();
    }
  },
});
