'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const texts = data.texts, frames = data.frames;
const $ = id => document.getElementById(id);
const PAGE = 100; // rows that are made at a time

// el makes an element. Texts of the run become text nodes here, and nowhere HTML.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === 'onclick') e.addEventListener('click', v);
    else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.filter(c => c !== undefined && c !== ''));
  return e;
}

const number = n => n.toLocaleString('en');
const many = (n, word) => number(n) + ' ' + word + (n === 1 ? '' : 's');
function seconds(s) {
  if (s < 1) return Math.round(s * 1000) + ' ms';
  return s < 120 ? s.toFixed(1) + ' s' : Math.round(s / 60) + ' min';
}
function size(b) {
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (b < 1024 || unit === 'TiB') return (unit === 'B' ? number(b) : b.toFixed(1)) + ' ' + unit;
    b /= 1024;
  }
}
const isLeak = f => texts[f.k].startsWith('Leak_');
const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;

// ---- findings of one cause

// Findings that have one cause stand together, the one that came first before the others.
const groupOf = new Map();
data.findings = (() => {
  const groups = new Map();
  for (const f of data.findings) {
    const cause = f.g || f.i || f, group = groups.get(cause);
    if (!group) groups.set(cause, [f]);
    else if (!f.g && group[0].g) group.unshift(f);
    else group.push(f);
  }
  for (const group of groups.values()) if (group.length > 1) for (const f of group) groupOf.set(f, group);
  return [...groups.values()].flat();
})();
const firstOf = f => groupOf.has(f) ? groupOf.get(f)[0] : f;

// ---- what is listed

const lists = {
  findings: {
    word: 'finding', items: data.findings, choice: f => f.d, make: findingRow,
    choices: ['new', 'known', 'suppressed', 'expected'],
    orders: {
      'as reported': null,
      'most bytes': (a, b) => (b.y || 0) - (a.y || 0),
      'most often': (a, b) => b.c - a.c,
      'kind': (a, b) => compare(texts[a.k], texts[b.k]),
      'place': (a, b) => compare(placeOf(a), placeOf(b)),
    },
  },
  tests: {
    word: 'test', items: data.tests, choice: t => t.v, make: testRow,
    choices: ['fail', 'inconclusive', 'skip', 'pass'],
    orders: {
      'worst first': (a, b) => lists.tests.choices.indexOf(a.v) - lists.tests.choices.indexOf(b.v),
      'as run': null,
      'slowest': (a, b) => b.e - a.e,
      'name': (a, b) => compare(texts[a.n], texts[b.n]),
    },
  },
};
const placeOf = f => f.b < 0 ? '' : texts[frames[f.b].p];

// The findings of a test, by package and name.
const findingsOf = new Map();
data.findings.forEach(f => f.t.forEach(t => {
  const key = f.p + ' ' + t;
  findingsOf.has(key) ? findingsOf.get(key).push(f) : findingsOf.set(key, [f]);
}));

const initial = () => ({
  list: 'findings', query: '', kind: '', pkg: '',
  findings: new Set(data.findings.some(f => f.d === 'new') ? ['new'] : lists.findings.choices),
  tests: new Set(lists.tests.choices),
  order: { findings: 'as reported', tests: 'worst first' },
});
let state = initial();
let matching = [], listed = new Set(), shown = 0, pending = null;

// matcher returns a function that says whether an item has all the words of the query. Every text is looked at once a word.
let lower = null;
function matcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) lower ??= texts.map(t => t.toLowerCase());
  const checks = words.map(word => {
    const inText = lower.map(t => t.includes(word));
    const inFrame = frames.map(f => inText[f.f] || inText[f.p] || inText[f.t] || f.s >= 0 && inText[f.s] ||
      f.n !== undefined && f.n.toLowerCase().includes(word));
    return {
      findings: f => f.i.includes(word) || inText[f.k] || inText[f.m] || inText[f.p] || f.t.some(t => inText[t]) ||
        f.b >= 0 && inFrame[f.b] || f.s.some(s => inText[s.l] || s.f.some(n => inFrame[n])),
      tests: t => inText[t.p] || inText[t.n] || inText[t.w] || inText[t.o],
    };
  });
  return item => checks.every(c => c[state.list](item));
}

function select() {
  const list = lists[state.list], wanted = state[state.list], has = matcher(state.query);
  matching = list.items.filter(i => wanted.has(list.choice(i)) && (!state.pkg || texts[i.p] === state.pkg) &&
    (state.list === 'tests' || !state.kind || texts[i.k] === state.kind) && has(i));
  const order = list.orders[state.order[state.list]];
  if (order) matching.sort(order);
  listed = new Set(order ? [] : matching);
}

function render() {
  pending = null;
  select();
  const list = lists[state.list];
  for (const name of Object.keys(lists)) {
    $(name).hidden = name !== state.list;
    $(name).replaceChildren();
    $('tab-' + name).setAttribute('aria-selected', name === state.list);
    $('tab-' + name).tabIndex = name === state.list ? 0 : -1;
  }
  shown = 0;
  more();
  const all = list.items.length;
  $('matches').textContent = matching.length === all ? many(all, list.word) :
    number(matching.length) + ' of ' + many(all, list.word);
  $('kind').parentElement.hidden = state.list === 'tests';
  for (const box of $('choices').querySelectorAll('input')) box.checked = state[state.list].has(box.value);
  if ($('q').value !== state.query) $('q').value = state.query;
  $('kind').value = state.kind;
  $('package').value = state.pkg;
  $('order').value = state.order[state.list];
  for (const bar of document.querySelectorAll('.bar[data-filter]')) {
    bar.setAttribute('aria-pressed', state[bar.dataset.filter] === bar.dataset.value);
  }
}

// soon renders once, however many events come before the next frame.
function soon() {
  if (pending === null) pending = requestAnimationFrame(render);
}

function more() {
  const list = lists[state.list], panel = $(state.list);
  panel.append(...matching.slice(shown, shown + PAGE).map(list.make));
  shown = Math.min(matching.length, shown + PAGE);
  if (!matching.length) panel.append(el('p', { class: 'none' }, list.items.length ? 'Nothing matches.' : 'There are none.'));
  $('more').hidden = shown >= matching.length;
  $('more').textContent = 'Show ' + number(Math.min(PAGE, matching.length - shown)) + ' more of ' + number(matching.length - shown);
}

function change(what) {
  Object.assign(state, what);
  controls();
  render();
}

// ---- rows

function row(className, what, where, moreText, fill) {
  const summary = el('summary', {}, el('span', { class: 'tag ' + className }, className), el('span', { class: 'row-what' }, ...what),
    el('span', { class: 'row-more' }, moreText), el('span', { class: 'row-where' }, where));
  const details = el('details', { class: 'row' }, summary);
  details.addEventListener('toggle', () => {
    if (details.open && !details.querySelector('.body')) details.append(fill(el('div', { class: 'body' })));
  });
  return details;
}

function findingRow(f) {
  const where = f.b < 0 ? texts[f.p] : texts[frames[f.b].f] + '  ' + texts[frames[f.b].p];
  const notes = [];
  if (f.y) notes.push(size(f.y));
  else if (f.c > 1) notes.push(number(f.c) + '×');
  notes.push(many(f.t.length, 'test'));
  const first = firstOf(f);
  if (first === f && groupOf.has(f)) notes.push(many(groupOf.get(f).length - 1, 'more finding') + ' with this cause');
  const r = row(f.d, [first === f ? '' : el('span', { title: 'has the cause of another finding' }, '↳ '), el('b', {}, texts[f.k]), ' ', texts[f.m]], where, notes.join(', '), body => fillFinding(body, f));
  r.dataset.fingerprint = f.i;
  if (first !== f && listed.has(first)) r.classList.add('other');
  r.addEventListener('toggle', () => { if (r.open) remember('#f-' + f.i); });
  return r;
}

function fillFinding(body, f) {
  if (texts[f.h]) body.append(el('p', { class: 'hint' }, texts[f.h]));
  if (f.b >= 0) body.append(excerpt(frames[f.b]));
  for (const [label, n] of [['caller', f.u], [f.w, f.v]]) {
    if (n >= 0) body.append(el('h3', {}, label), ...frameRow(n, false));
  }
  f.s.forEach((s, i) => {
    const label = texts[s.l] || (i === 0 ? texts[f.m] : '');
    if (label) body.append(el('h3', {}, label));
    for (const n of s.f) body.append(...frameRow(n, n === f.b));
  });
  body.append(el('h3', {}, f.o ? 'hit by one of' : f.t.length === 1 ? 'hit by the test' : 'hit by ' + many(f.t.length, 'test')));
  const links = el('div', { class: 'links' });
  const link = t => el('button', { type: 'button', onclick: () => showTest(f.p, t) }, texts[t]);
  links.append(...f.t.slice(0, 20).map(link));
  if (f.t.length > 20) {
    links.append(el('button', { type: 'button', onclick: e => e.target.replaceWith(...f.t.slice(20).map(link)) }, 'and ' + (f.t.length - 20) + ' more'));
  }
  body.append(links);
  if (groupOf.has(f)) {
    const name = o => texts[o.k] + (o.b < 0 ? '' : ' in ' + texts[frames[o.b].f]);
    body.append(el('h3', {}, firstOf(f) === f ? 'findings with this cause' : 'came first, and others with this cause'),
      el('div', { class: 'links' }, ...groupOf.get(f).filter(o => o !== f).slice(0, 50).map(o =>
        el('button', { type: 'button', onclick: () => show(o) }, name(o)))));
  }
  repro(body, f.r);
  const facts = [texts[f.p], 'count ' + number(f.c)];
  if (isLeak(f) && f.n) facts.push(many(f.n, 'block') + ' of ' + size(f.y || 0));
  body.append(el('p', { class: 'id' }, facts.join(' · ') + ' · fingerprint ', el('code', {}, f.i)));
  return body;
}

// excerpt shows the lines around a frame's, or its own alone.
function excerpt(frame) {
  const lines = frame.x || (texts[frame.s] ? [0, frame.s] : null);
  if (!lines) return '';
  const at = Number(/:(\d+)$/.exec(texts[frame.p])?.[1]), first = lines[0] || at;
  return el('div', { class: 'excerpt mono' }, ...lines.slice(1).map((t, i) =>
    el('div', { class: first + i === at ? 'at' : undefined }, el('i', {}, String(first + i || '')), texts[t])));
}

function frameRow(n, blamed) {
  const f = frames[n];
  const cells = [el('span', { class: 'lang ' + (f.l || '') }, f.l === 'go' ? 'Go' : f.l === 'c' ? 'C' : ' '),
    el('span', { class: 'fn', title: f.n }, texts[f.f]), el('span', { class: 'at' }, texts[f.p])];
  const className = 'frame' + (blamed ? ' blamed' : '');
  if (!texts[f.s]) return [el('div', { class: className, title: texts[f.t] }, ...cells)];
  const source = el('div', { hidden: true });
  const button = el('button', { type: 'button', class: className, title: texts[f.t], 'aria-expanded': 'false', onclick: () => {
    if (!source.firstChild) source.append(excerpt(f));
    source.hidden = !source.hidden;
    button.setAttribute('aria-expanded', !source.hidden);
  } }, ...cells);
  return [button, source];
}

function repro(body, r) {
  if (!texts[r]) return;
  const button = el('button', { type: 'button', onclick: () => copy(texts[r], button) }, 'Copy');
  body.append(el('h3', {}, 'run it again'), el('div', { class: 'command' }, el('code', {}, texts[r]), button));
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // file:// has no clipboard in some browsers
    const area = el('textarea', { class: 'hidden' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    button.focus();
  }
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}

function testRow(t) {
  const found = findingsOf.get(t.p + ' ' + t.n) || [];
  const notes = [seconds(t.e)];
  if (found.length) notes.unshift(many(found.length, 'finding'));
  const r = row(t.v, [el('b', {}, texts[t.n])], texts[t.p], notes.join(', '), body => {
    if (texts[t.w]) body.append(el('p', { class: 'hint' }, texts[t.w]));
    if (found.length) {
      body.append(el('h3', {}, 'findings'), el('div', { class: 'links' }, ...found.slice(0, 50).map(f =>
        el('button', { type: 'button', onclick: () => showFinding(f.i) }, texts[f.k] + (f.b < 0 ? '' : ' in ' + texts[frames[f.b].f])))));
    }
    if (texts[t.o]) body.append(el('h3', {}, 'output'), el('pre', { class: 'output' }, texts[t.o]));
    repro(body, t.r);
    if (!body.firstChild) body.append(el('p', { class: 'id' }, 'It passed; there is nothing to tell.'));
    return body;
  });
  return r;
}

// ---- going somewhere

function remember(hash) {
  try { history.replaceState(null, '', hash); } catch { /* not everywhere for file:// */ }
}

function openRow(i) {
  while (i >= shown && shown < matching.length) more();
  const r = $(state.list).children[i];
  if (!r) return;
  r.open = true;
  r.scrollIntoView({ block: 'start' });
  r.querySelector('summary').focus({ preventScroll: true });
}

function show(finding) {
  change({ ...initial(), findings: new Set(lists.findings.choices) });
  openRow(matching.indexOf(finding));
}

function showFinding(fingerprint) {
  const finding = data.findings.find(f => f.i === fingerprint);
  if (finding) show(finding);
}

function showTest(pkg, name) {
  change({ ...initial(), list: 'tests' });
  openRow(matching.findIndex(t => t.p === pkg && t.n === name));
}

// ---- controls

function controls() {
  const list = lists[state.list];
  $('choices').replaceChildren(...list.choices.map(c => {
    const n = list.items.filter(i => list.choice(i) === c).length;
    const box = el('input', { type: 'checkbox', value: c });
    box.addEventListener('change', () => { box.checked ? state[state.list].add(c) : state[state.list].delete(c); soon(); });
    return el('label', {}, box, ' ' + c + ' ' + number(n));
  }));
  $('order').replaceChildren(...Object.keys(list.orders).map(o => el('option', {}, o)));
  const options = (id, values) => $(id).replaceChildren(el('option', { value: '' }, 'all'),
    ...[...new Set(values)].map(v => texts[v]).sort(compare).map(v => el('option', { value: v }, v)));
  options('kind', data.findings.map(f => f.k));
  options('package', [...data.findings, ...data.tests].map(i => i.p));
}

function chart(title, rows, format) {
  if (!rows.length) return '';
  const most = Math.max(...rows.map(r => r.value));
  const MAX = 6, rest = rows.length - MAX;
  const chart = el('section', { class: 'chart' }, el('h3', {}, title), ...rows.slice(0, MAX).map(r => {
    const bar = el('i');
    bar.style.width = (most > 0 ? 100 * r.value / most : 0) + '%';
    return el('button', { type: 'button', class: 'bar', title: r.label, 'data-filter': r.filter, 'data-value': r.label,
      'aria-pressed': r.filter && 'false', onclick: r.go }, el('span', {}, r.label), el('span', {}, format(r.value)), bar);
  }));
  if (rest > 0) chart.append(el('p', { class: 'id' }, 'and ' + number(rest) + ' more'));
  return chart;
}

// tally sums a value of the findings by something, the most first.
function tally(key, value, go) {
  const sums = new Map();
  for (const f of data.findings) {
    const v = value(f);
    if (v > 0) sums.set(key(f), (sums.get(key(f)) || 0) + v);
  }
  return [...sums].map(([label, value]) => ({ label, value, ...go(label) })).sort((a, b) => b.value - a.value);
}

function charts() {
  const filter = name => label => ({
    filter: name, go: () => change({ list: 'findings', [name]: state[name] === label ? '' : label, findings: new Set(lists.findings.choices) }),
  });
  const search = label => ({ go: () => change({ ...initial(), findings: new Set(lists.findings.choices), query: label.toLowerCase() }) });
  const slowest = [...data.tests].sort((a, b) => b.e - a.e).filter(t => t.e > 0)
    .map(t => ({ label: texts[t.n], value: t.e, go: () => showTest(t.p, t.n) }));
  $('charts').append(
    chart('Findings by kind', tally(f => texts[f.k], () => 1, filter('kind')), number),
    chart('Findings by package', tally(f => texts[f.p], () => 1, filter('pkg')), number),
    chart('Leaked bytes by blame', tally(f => f.b < 0 ? 'unknown' : texts[frames[f.b].f], f => isLeak(f) ? f.y || 0 : 0, search), size),
    chart('Slowest tests', slowest, seconds));
}

function onlyNew() {
  const all = lists.findings.choices;
  change({ list: 'findings', findings: new Set(state.findings.size === 1 && state.findings.has('new') ? all : ['new']) });
}

function move(step) {
  const rows = [...$(state.list).querySelectorAll('.row')];
  let i = rows.indexOf(document.activeElement.closest?.('.row')) + step;
  if (i === rows.length && shown < matching.length) { more(); return move(step); }
  const target = rows[Math.max(0, Math.min(rows.length - 1, i))];
  if (target) target.querySelector('summary').focus();
}

const keys = {
  '/': () => { $('q').focus(); $('q').select(); },
  j: () => move(1), k: () => move(-1), n: onlyNew,
  f: () => change({ list: 'findings' }), t: () => change({ list: 'tests' }),
  '?': () => $('help').showModal(),
};
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.altKey || e.metaKey || $('help').open) return;
  if (e.key === 'Escape' && e.target === $('q')) {
    $('q').value = state.query = '';
    $('q').blur();
    soon();
    return;
  }
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== 'checkbox') return;
  const run = keys[e.key];
  if (run) { e.preventDefault(); run(); }
});
document.querySelector('[role=tablist]').addEventListener('keydown', e => {
  if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight') return;
  change({ list: state.list === 'findings' ? 'tests' : 'findings' });
  $('tab-' + state.list).focus();
});
for (const name of Object.keys(lists)) $('tab-' + name).addEventListener('click', () => change({ list: name }));
$('q').addEventListener('input', () => { state.query = $('q').value; soon(); });
$('filters').addEventListener('submit', e => { e.preventDefault(); move(1); });
$('kind').addEventListener('change', () => { state.kind = $('kind').value; soon(); });
$('package').addEventListener('change', () => { state.pkg = $('package').value; soon(); });
$('order').addEventListener('change', () => { state.order[state.list] = $('order').value; soon(); });
$('reset').addEventListener('click', () => change({ ...initial(), list: state.list }));
$('keys').addEventListener('click', keys['?']);
$('more').addEventListener('click', () => { const i = shown; more(); $(state.list).children[i]?.querySelector('summary').focus(); });
new IntersectionObserver(e => { if (e.some(x => x.isIntersecting) && shown >= PAGE && !$('more').hidden) more(); }, { rootMargin: '600px' })
  .observe($('more'));
for (const b of document.querySelectorAll('[data-disposition]')) {
  b.addEventListener('click', () => change({ list: 'findings', findings: new Set([b.dataset.disposition]) }));
}
for (const b of document.querySelectorAll('[data-verdict]')) {
  b.addEventListener('click', () => change({ list: 'tests', tests: new Set([b.dataset.verdict]) }));
}

function followHash() {
  const m = /^#f-([0-9a-f]+)$/.exec(location.hash);
  if (m) showFinding(m[1]);
}
addEventListener('hashchange', followHash);

document.querySelector('main').hidden = false;
if (!data.findings.length && data.tests.length) state.list = 'tests';
if (matchMedia('(max-width: 40rem)').matches) document.querySelector('.charts').open = false;
charts();
controls();
render();
followHash();
})();
