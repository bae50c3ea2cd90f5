import { defineAttack } from '../../hostile-client.js';
import { field, grpcMessage } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections with a window of 0 ask for the metadata 900 times each and never read',
  bound: 'answers that wait for a window are bounded and counted',
  port: 'grpc',
  run(client) {
    const message = grpcMessage(field(1, 'hostile'));
    for (let count = 0; count < 10; count++) {
      const session = client.session({ initialWindowSize: 0 });
      const path = '/inference.GRPCInferenceService/ModelMetadata';
      for (let each = 0; each < 900; each++) client.call(session, path, message);
    }
  },
});
