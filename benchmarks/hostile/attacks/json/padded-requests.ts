import { defineAttack, INFER, post } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'requests wait up to an hour for their turn; each has a raw tensor of 9 bytes after 2 MB of JSON with spaces',
  bound: 'a waiting request holds no more memory than its tensors',
  allowed: ['200', '503', '504', 'closed'],
  run(client) {
    const text = 'good word';
    const json = JSON.stringify({
      inputs: [
        { name: 'image', datatype: 'UINT8', shape: [text.length], parameters: { binary_data_size: text.length } },
      ],
      parameters: { timeout_ms: 3_600_000 },
    }).padEnd(2_000_000);
    const request = post(INFER, 'application/octet-stream', json + text, [
      `inference-header-content-length: ${json.length}`,
    ]);
    const sockets = Array.from({ length: 100 }, () => client.socket());
    return client.repeat(200, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength === 0) socket.write(request);
    });
  },
});
