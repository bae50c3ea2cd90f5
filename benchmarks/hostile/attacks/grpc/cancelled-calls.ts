import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage, inferRequest } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '2,000 complete calls a second, cancelled at once',
  bound: 'a cancelled call leaves every queue',
  port: 'grpc',
  async run(client) {
    const session = client.session();
    const message = grpcMessage(inferRequest('not good'));
    await client.repeat(10, () => {
      for (let count = 0; count < 20 && !session.destroyed; count++) {
        const stream = session.request({ ':method': 'POST', ':path': MODEL_INFER, 'content-type': 'application/grpc' });
        stream.on('error', () => undefined);
        stream.end(message);
        setImmediate(() => stream.close(8));
      }
    });
  },
});
