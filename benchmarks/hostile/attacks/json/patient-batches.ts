import { defineAttack, INFER, post } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'client batches of as many items as fit, of a byte each, with a deadline of an hour, on five connections in turns',
  bound: 'an item counts as a request; requests with less time left go first',
  allowed: ['200', '422', '500', '503', '504', 'closed'],
  async run(client) {
    const requests = [1024, 512, 256, 100].map((items) => {
      const json = JSON.stringify({
        inputs: [{ name: 'image', datatype: 'UINT8', shape: [items, 1], parameters: { binary_data_size: items } }],
        parameters: { timeout_ms: 3_600_000 },
      });
      return post(INFER, 'application/octet-stream', json + 'a'.repeat(items), [
        `inference-header-content-length: ${json.length}`,
      ]);
    });
    await client.sendInTurns(5, (round) => requests[round % requests.length] ?? '');
  },
});
