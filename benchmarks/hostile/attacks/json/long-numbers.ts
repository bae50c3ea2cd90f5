import { defineAttack, postJson } from '../../hostile-client.js';

const tensor = (datatype: string, data: string): string =>
  `{"inputs":[{"name":"image","datatype":"${datatype}","shape":[1],"data":[${data}]}]}`;

export const attack = defineAttack(import.meta.url, {
  does: 'numbers of a million digits: plain, as text for 64-bit integers, as exponents, in limits',
  bound: 'the time to read a number is linear in its digits',
  allowed: ['200', '400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    // Nines after the decimal point round to 1, which is a valid value.
    const digits = '9'.repeat(1_000_000);
    const requests = [
      tensor('UINT8', digits),
      tensor('INT64', `"${digits}"`),
      tensor('INT64', digits),
      tensor('UINT64', `"${'0'.repeat(1_000_000)}1"`),
      tensor('UINT8', `0.${digits}`),
      tensor('FP64', `1e${digits}`),
      tensor('UINT8', '1').replace('{', `{"parameters":{"timeout_ms":${digits},"priority":${digits}},`),
      tensor('UINT8', '1').replace('[1]', `[${digits}]`),
    ].map((body) => postJson(body));
    await client.sendInTurns(8, (round) => requests[round % requests.length] ?? '');
  },
});
