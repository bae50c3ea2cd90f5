import { defineAttack, INFER, post } from '../../hostile-client.js';

const ITEMS = 500;

export const attack = defineAttack(import.meta.url, {
  does: 'client batches of 500 items of a byte each, the largest that the queue allows, on twelve connections in turns',
  bound:
    'single requests wait for at most every second item of a batch, and take places from the last of several batches',
  allowed: ['200', '503', '504', 'closed'],
  async run(client) {
    const json = JSON.stringify({
      inputs: [{ name: 'image', datatype: 'UINT8', shape: [ITEMS, 1], parameters: { binary_data_size: ITEMS } }],
    });
    const batch = post(INFER, 'application/octet-stream', json + 'a'.repeat(ITEMS), [
      `inference-header-content-length: ${json.length}`,
    ]);
    await client.sendInTurns(12, () => batch);
  },
});
