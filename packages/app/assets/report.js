// Runs in reports: tooltips, keyboard, theme, and pictures of the plots. Without it, all figures are still readable.
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const root = document.documentElement;
  const { pictureStyle, axes, plots } = JSON.parse(document.getElementById('report-data').textContent);

  /** Three significant digits, without trailing noise. */
  function digits(value) {
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString('en-US');
    if (size > 0 && size < 0.01) return value.toPrecision(2);
    return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)));
  }

  function timeText(value, kind) {
    if (kind === 'utc') return `${new Date(value * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    return digits(value);
  }

  const figures = [...document.querySelectorAll('figure[data-plot]')].map((figure) => ({
    figure,
    plot: plots[figure.dataset.plot],
    box: figure.querySelector('.plot-box'),
  }));

  const shownSvg = (box) => [...box.querySelectorAll('svg')].find((svg) => svg.getBoundingClientRect().width > 0);

  function scaleOf(svg) {
    const [x0, left, x1, right, top, bottom, isLog] = svg.dataset.scale.split(' ').map(Number);
    const to = isLog ? Math.log : (value) => value;
    const place = (x) => left + ((to(x) - to(x0)) / (to(x1) - to(x0))) * (right - left);
    return { place, top, bottom, width: svg.viewBox.baseVal.width };
  }

  const xsOf = ({ x }) => (typeof x === 'string' ? axes[x] : x);

  function nearest(xs, place, px) {
    let best = 0;
    for (let i = 1; i < xs.length; i++) if (Math.abs(place(xs[i]) - px) < Math.abs(place(xs[best]) - px)) best = i;
    return best;
  }

  function setCursor(svg, scale, x) {
    let line = svg.querySelector('.cursor');
    if (!line) {
      line = document.createElementNS(SVG, 'line');
      line.setAttribute('class', 'cursor');
      svg.append(line);
    }
    const px = scale.place(x);
    for (const [name, value] of Object.entries({ x1: px, x2: px, y1: scale.top, y2: scale.bottom }))
      line.setAttribute(name, value);
  }

  function hide() {
    for (const each of document.querySelectorAll('.cursor, .tip')) each.remove();
  }

  function row(name, value) {
    const line = document.createElement('span');
    line.className = 'row';
    const [label, figure] = [document.createElement('span'), document.createElement('span')];
    label.textContent = name;
    figure.textContent = value;
    line.append(label, figure);
    return line;
  }

  /** Shows a box at a point of the picture, inside the figure. */
  function showTip({ box, figure }, title, rows, at) {
    const tip = document.createElement('div');
    tip.className = 'tip';
    tip.setAttribute('role', 'status');
    const head = document.createElement('b');
    head.textContent = title;
    tip.append(head, ...rows);
    box.append(tip);
    const most = figure.clientWidth - tip.offsetWidth - 8;
    const wanted = at.x + 14 + tip.offsetWidth > figure.clientWidth ? at.x - tip.offsetWidth - 10 : at.x + 14;
    tip.style.setProperty('left', `${Math.max(4, Math.min(most, wanted))}px`);
    tip.style.setProperty('top', `${Math.max(0, at.y)}px`);
  }

  function showIndex(shown, index) {
    hide();
    const { plot, box } = shown;
    const x = xsOf(plot)[index];
    for (const other of figures) {
      if (other !== shown && (typeof plot.x !== 'string' || other.plot.x !== plot.x)) continue;
      const svg = shownSvg(other.box);
      if (svg) setCursor(svg, scaleOf(svg), x);
    }
    const svg = shownSvg(box);
    const { place, top, width } = scaleOf(svg);
    const factor = svg.clientWidth / width;
    const rows = plot.series.map(({ name, unit, values }) => {
      const value = values[index];
      return row(name, value === null || value === undefined ? '–' : `${digits(value)}${unit ? ` ${unit}` : ''}`);
    });
    const title = `${timeText(x, plot.xKind)}${plot.xUnit ? ` ${plot.xUnit}` : ''}`;
    showTip(shown, title, rows, { x: svg.offsetLeft + place(x) * factor, y: (top + 4) * factor });
    shown.index = index;
  }

  const marksOf = (box) => [...(shownSvg(box)?.querySelectorAll('[data-tip]') ?? [])];

  /** Pixels of the screen between the centers of points at one place. */
  const SAME_PLACE = 3;
  const MOST_LISTED = 8;
  const isPoint = (mark) => mark.matches('.dot, .ring');

  /** Marks by place, in the order in which they are drawn. */
  function placesOf(box) {
    const places = [];
    for (const mark of marksOf(box)) {
      const own = mark.getBoundingClientRect();
      const [x, y] = [own.left + own.width / 2, own.top + own.height / 2];
      const near = (place) => isPoint(place.marks[0]) && Math.hypot(place.x - x, place.y - y) <= SAME_PLACE;
      const place = isPoint(mark) ? places.find(near) : undefined;
      if (place) place.marks.push(mark);
      else places.push({ x, y, own, marks: [mark] });
    }
    return places;
  }

  const linesOf = (mark) => mark.dataset.tip.split('\n');

  /** Of several marks, the names with the first figure of each. */
  function tipOf(marks) {
    if (marks.length === 1) {
      const [title, ...lines] = linesOf(marks[0]);
      return [title, lines.map((line) => row(...line.split('\t')))];
    }
    const rows = marks.slice(0, MOST_LISTED).map((mark) => {
      const [name, line = ''] = linesOf(mark);
      return row(name, line.split('\t')[1] ?? '');
    });
    const rest = marks.length - rows.length;
    return [`${marks.length} points at this place`, rest > 0 ? [...rows, row(`and ${rest} more`, '')] : rows];
  }

  function showPlace(shown, { own, marks }) {
    hide();
    const [title, rows] = tipOf(marks);
    const outer = shown.box.getBoundingClientRect();
    showTip(shown, title, rows, { x: own.left + own.width / 2 - outer.left, y: own.bottom - outer.top + 4 });
    shown.mark = marks[0];
  }

  function nearestPlace(box, event) {
    let best;
    for (const place of placesOf(box)) {
      const { left, right, top, bottom } = place.own;
      const away = Math.hypot(
        Math.max(left - event.clientX, 0, event.clientX - right),
        Math.max(top - event.clientY, 0, event.clientY - bottom),
      );
      if (away < 24 && (best === undefined || away < best.away)) best = { place, away };
    }
    return best?.place;
  }

  function pointerAt(shown, event) {
    const near = nearestPlace(shown.box, event);
    if (near) return showPlace(shown, near);
    const svg = shownSvg(shown.box);
    if (!svg || shown.plot.series.length === 0) return hide();
    const { place, width } = scaleOf(svg);
    const px = ((event.clientX - svg.getBoundingClientRect().left) / svg.clientWidth) * width;
    showIndex(shown, nearest(xsOf(shown.plot), place, px));
  }

  function step(shown, by) {
    if (shown.plot.series.length > 0) {
      const last = xsOf(shown.plot).length - 1;
      const from = shown.index ?? (by > 0 ? -1 : last + 1);
      return showIndex(shown, Math.max(0, Math.min(last, from + by)));
    }
    const places = placesOf(shown.box);
    if (places.length === 0) return;
    const from = places.findIndex(({ marks }) => marks.includes(shown.mark));
    showPlace(shown, places[Math.max(0, Math.min(places.length - 1, from === -1 ? 0 : from + by))]);
  }

  const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };

  for (const shown of figures) {
    const { box } = shown;
    box.addEventListener('pointermove', (event) => pointerAt(shown, event));
    box.addEventListener('pointerdown', (event) => pointerAt(shown, event));
    box.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && hide());
    box.addEventListener('blur', hide);
    box.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') return hide();
      const by = STEPS[event.key];
      if (by === undefined || event.target !== box) return;
      event.preventDefault();
      step(shown, by);
    });
  }
  document.addEventListener('pointerdown', (event) => event.target.closest('.plot-box') || hide());

  /** The plot as a document of its own, in light colors. */
  function pictureOf(figure) {
    const svg = figure.querySelector('svg').cloneNode(true);
    for (const each of svg.querySelectorAll('.cursor')) each.remove();
    for (const link of svg.querySelectorAll('a')) link.replaceWith(...link.childNodes);
    const style = document.createElementNS(SVG, 'style');
    style.textContent = pictureStyle;
    svg.prepend(style);
    const { width, height } = svg.viewBox.baseVal;
    svg.setAttribute('width', width);
    svg.setAttribute('height', height);
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  }

  function save(blob, name) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  const PNG_SCALE = 2;

  async function savePng(figure, name) {
    const { text, width, height } = pictureOf(figure);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = width * PNG_SCALE;
    canvas.height = height * PNG_SCALE;
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && save(blob, name), 'image/png');
  }

  /** Quoted, and without a first character that spreadsheets run as a formula. */
  const cell = (text) =>
    `"${String(text)
      .replace(/^[=+@-](?!\d)/, "'$&")
      .replaceAll('"', '""')}"`;

  function csvOf({ plot, box }) {
    if (plot.series.length === 0) {
      const rows = marksOf(box).map((mark) => mark.dataset.tip.split('\n').map((line) => line.replace('\t', ': ')));
      return rows.map((row) => row.map(cell).join(','));
    }
    const head = [plot.xName, ...plot.series.map(({ name, unit }) => (unit ? `${name} (${unit})` : name))];
    const xs = xsOf(plot);
    const rows = xs.map((x, i) => [
      plot.xKind === 'utc' ? new Date(x * 1000).toISOString() : x,
      ...plot.series.map(({ values }) => values[i] ?? ''),
    ]);
    return [head.map(cell).join(','), ...rows.map((row) => row.join(','))];
  }

  for (const shown of figures) {
    const { figure } = shown;
    const name = figure.dataset.file;
    for (const button of figure.querySelectorAll('button[data-save]'))
      button.addEventListener('click', () => {
        const kind = button.dataset.save;
        if (kind === 'svg') save(new Blob([pictureOf(figure).text], { type: 'image/svg+xml' }), `${name}.svg`);
        else if (kind === 'png') void savePng(figure, `${name}.png`);
        else save(new Blob([`${csvOf(shown).join('\n')}\n`], { type: 'text/csv' }), `${name}.csv`);
      });
  }

  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = document.getElementById('theme');
  const nameTheme = () => {
    theme.textContent = isDark() ? 'Light' : 'Dark';
  };
  theme.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    nameTheme();
  });
  nameTheme();
  document.getElementById('print').addEventListener('click', () => print());
})();
