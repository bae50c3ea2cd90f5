import { defineAttack } from '../../hostile-client.js';
import { grpcMessage } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: '1,000 calls a second of methods that were never seen before, some of 8 KB',
  bound: 'UNIMPLEMENTED or NOT_FOUND; no name is kept',
  port: 'grpc',
  async run(client) {
    const session = client.session();
    let count = 0;
    await client.repeat(20, () => {
      for (let each = 0; each < 20; each++) {
        const name = `${count++}${'a'.repeat(each === 0 ? 8000 : 5)}`;
        const service = each % 2 === 0 ? 'inference.GRPCInferenceService' : name;
        client.call(session, `/${service}/${name}`, grpcMessage(Buffer.alloc(0)));
      }
    });
  },
});
