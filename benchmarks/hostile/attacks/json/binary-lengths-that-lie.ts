import { defineAttack, INFER, post } from '../../hostile-client.js';

const SIZES = ['-1', '9007199254740993', '1e308', '4294967296', '0.5', '"8"', '7', '9', 'null'];
const HEADER_LENGTHS = ['-1', '9007199254740993', '1e3', '0', '99999', '', '0x10', '10, 10'];

function request(size: string, headerLength?: string): Buffer {
  const json = `{"inputs":[{"name":"image","datatype":"UINT8","shape":[8],"parameters":{"binary_data_size":${size}}}]}`;
  const header = `inference-header-content-length: ${headerLength ?? json.length}`;
  return post(INFER, 'application/octet-stream', `${json}abcdefgh`, [header]);
}

export const attack = defineAttack(import.meta.url, {
  does: 'raw tensors with sizes below 0, above 2^53, beyond the body, and headers longer than the body',
  bound: 'a size that differs from shape or body is a 400 or 422',
  allowed: ['400', '413', '422', '503', 'closed'],
  async run(client) {
    const requests = [...SIZES.map((size) => request(size)), ...HEADER_LENGTHS.map((length) => request('8', length))];
    const tensors = '{"name":"image","datatype":"BYTES","shape":[1000000],"parameters":{"binary_data_size":4000000}}';
    const json = `{"inputs":[${tensors}]}`;
    const header = [`inference-header-content-length: ${json.length}`];
    requests.push(
      post(INFER, 'application/octet-stream', Buffer.concat([Buffer.from(json), Buffer.alloc(4e6)]), header),
    );
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
