'use strict';
const report = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);

// Elements: make('td', {class: 'number'}, 'text', child...).
function make(name, attributes, ...children) {
  const isSvg = ['svg', 'g', 'rect', 'path', 'text', 'title', 'line', 'polygon'].includes(name);
  const element = isSvg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  for (const child of children) element.append(child);
  return element;
}

// Click, Enter and Space do the same.
function onChoose(element, action) {
  element.tabIndex = 0;
  element.addEventListener('click', action);
  element.addEventListener('keydown', (event) => {
    if (event.target !== element || (event.key !== 'Enter' && event.key !== ' ')) return;
    event.preventDefault();
    action();
  });
}

function scaled(value, step, units) {
  let unit = 0;
  while (value >= step - 0.5 && unit + 1 < units.length) { value /= step; ++unit; }
  return (unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)) + units[unit];
}
const bytes = (n) => scaled(n, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB']);
const count = (n) => scaled(n, 1000, ['', 'k', 'M', 'G', 'T', 'P', 'E']);
function time(us) {
  if (us >= 999500) return (us / 1e6).toFixed(us >= 99.95e6 ? 0 : 2) + ' s';
  if (us >= 999.5) return (us / 1e3).toFixed(us >= 99950 ? 0 : 1) + ' ms';
  return us.toFixed(us >= 99.95 ? 0 : 1) + ' us';
}
const folded = (name) => name.replace(/(^|\.)\d+(?=\.|$)/g, '$1*');
const speed = (x) => x.toFixed(2) + 'x';

function table(caption, heads, rows) {
  return make('table', {}, make('caption', {}, caption),
    make('thead', {}, make('tr', {}, ...heads.map(([text, kind]) => make('th', {scope: 'col', class: kind || ''}, text)))),
    make('tbody', {}, ...rows.map((row) =>
      make('tr', {}, ...row.map((text, i) => make('td', {class: heads[i][1] || ''}, String(text)))))));
}

function facts(id, list) {
  for (const [name, value] of list) $(id).append(make('div', {}, make('dt', {}, name), make('dd', {}, value)));
}

function fill(select, values) {
  for (const value of values) select.append(make('option', {value}, value));
}

// ---------------------------------------------------------------- Overview

function showOverview() {
  const axes = report.mesh.axes;
  const devices = axes.reduce((n, axis) => n * axis.size, 1);
  $('about').textContent = `Mesh ${axes.map((a) => `${a.name}=${a.size}`).join(', ')}: ${devices} devices. `
    + `Amounts are of one device and one execution; times are predicted for ${report.machine.name}.`;
  facts('facts', [
    ['bytes sent', bytes(report.totals.bytes_sent)],
    ['collectives', report.collectives.reduce((n, c) => n + c.count, 0)],
    ['peak memory', bytes(report.memory.peak)],
    ...report.time.map((t) => [`${t.phase}, predicted`, `${time(t.microseconds)} (${speed(t.speed_up)})`]),
  ]);
  for (const remark of report.remarks) $('remarks').append(make('li', {}, 'Remark: ' + remark));
  $('times').append(table('Time of one execution',
    [['phase'], ['predicted', 'number'], ['computing', 'number'], ['communicating', 'number'], ['hidden', 'number'],
      ['on one device', 'number'], ['speed-up', 'number'], ['by axis']],
    report.time.map((t) => [t.phase, time(t.microseconds), time(t.compute_microseconds), time(t.communication_microseconds),
      time(t.hidden_microseconds), time(t.one_device_microseconds), speed(t.speed_up),
      t.axes.map((a) => `${a.name} ${speed(a.speed_up)}`).join(', ')])));
  $('axes').append(table('By axes of the group',
    [['phase'], ['axes'], ['collectives', 'number'], ['sent', 'number'], ['time', 'number']],
    report.summary.axes.map((a) => [a.phase, a.axes, a.collectives, bytes(a.bytes_sent), time(a.communication_microseconds)])));
}

// ------------------------------------------------------------- Collectives

const columns = [
  ['phase', (c) => c.phase], ['kind', (c) => c.kind], ['axes', (c) => c.axes.join(',')],
  ['group', (c) => c.group_size, 'number'],
  ['tensor', (c) => c.tensors.map((t) => [...t.shape, t.dtype].join('x')).join(' + ')],
  ['count', (c) => c.total, 'number'], ['sent each', (c) => c.bytes_sent, 'number', bytes],
  ['time each', (c) => c.microseconds, 'number', time], ['hidden', (c) => c.hidden_microseconds, 'number', time],
  ['module', (c) => c.shown],
];
let order = {column: -1, down: false};

function collectiveRows() {
  const rows = new Map();
  for (const c of report.collectives) {
    const shown = $('fold').checked ? folded(c.module) : c.module;
    const key = $('fold').checked ? JSON.stringify([c.phase, c.kind, c.axes, c.tensors, c.bytes_sent, shown]) : rows.size;
    if (rows.has(key)) rows.get(key).total += c.count;
    else rows.set(key, {...c, shown, total: c.count});
  }
  const words = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  let list = [...rows.values()].filter((c) => {
    const text = [c.phase, c.kind, c.axes.join(' '), c.shown, c.module, c.parameter, c.why, c.reason].join(' ').toLowerCase();
    return words.every((word) => text.includes(word)) && (!$('kind').value || c.kind === $('kind').value)
      && (!$('phase').value || c.phase === $('phase').value);
  });
  if (order.column >= 0) {
    const value = columns[order.column][1];
    list = list.map((c, i) => [c, i]).sort(([a, i], [b, j]) => {
      const x = value(a), y = value(b);
      const less = typeof x === 'number' ? x - y : String(x).localeCompare(String(y), 'en', {numeric: true});
      return (order.down ? -less : less) || i - j;
    }).map(([c]) => c);
  }
  return list;
}

function detailOf(c) {
  const lines = [['why', c.why], ['placement', `${c.from} to ${c.to}`], ['parameter', c.parameter], ['link', c.link],
    ['reason given', c.reasons.join('; ')], ['IR', c.location]];
  if (c.alternative) {
    const a = c.alternative;
    lines.splice(1, 0, ['instead', `${a.what}: ${a.bytes_sent ? bytes(a.bytes_sent) + ' sent' : 'nothing sent'}`
      + (a.memory ? `, ${bytes(a.memory)} more memory` : '') + (a.microseconds ? `, ${time(a.microseconds)}` : '')]);
  }
  const box = make('div', {});
  for (const [name, text] of lines) if (text) box.append(make('div', {}, make('strong', {}, name + ': '), make('code', {}, text)));
  return box;
}

function showCollectives() {
  const most = 400;
  const rows = collectiveRows();
  const body = $('table').tBodies[0];
  body.replaceChildren();
  $('shown').textContent = `${rows.length} rows, ${rows.reduce((n, c) => n + c.total, 0)} collectives, `
    + `${bytes(rows.reduce((n, c) => n + c.total * c.bytes_sent, 0))} sent`
    + (rows.length > most ? `; the first ${most} are listed` : '');
  for (const c of rows.slice(0, most)) {
    const row = make('tr', {class: 'row', 'aria-expanded': 'false'},
      ...columns.map(([, value, kind, format]) => make('td', {class: kind || ''}, String((format || String)(value(c))))));
    onChoose(row, () => {
      const isOpen = row.getAttribute('aria-expanded') === 'true';
      row.setAttribute('aria-expanded', String(!isOpen));
      if (isOpen) row.nextSibling.remove();
      else row.after(make('tr', {class: 'detail'}, make('td', {colspan: columns.length}, detailOf(c))));
    });
    body.append(row);
  }
}

function startCollectives() {
  const head = make('tr', {});
  columns.forEach(([name, , kind], i) => {
    const button = make('button', {type: 'button'}, name);
    const cell = make('th', {scope: 'col', class: kind || '', 'aria-sort': 'none'}, button);
    button.addEventListener('click', () => {
      order = {column: i, down: order.column === i ? !order.down : kind === 'number'};
      for (const other of head.cells) other.setAttribute('aria-sort', 'none');
      cell.setAttribute('aria-sort', order.down ? 'descending' : 'ascending');
      for (const other of head.cells) other.firstChild.textContent = other.firstChild.textContent.replace(/ [▲▼]$/, '');
      button.textContent = name + (order.down ? ' ▼' : ' ▲');
      showCollectives();
    });
    head.append(cell);
  });
  $('table').tHead.append(head);
  fill($('kind'), [...new Set(report.collectives.map((c) => c.kind))].sort());
  fill($('phase'), [...new Set(report.collectives.map((c) => c.phase))]);
  for (const id of ['filter', 'kind', 'phase', 'fold']) $(id).addEventListener('input', showCollectives);
  showCollectives();
}

// --------------------------------------------------------------- One layer

// Rows by the longest way from the start, columns in program order.
function layOut(graph) {
  const level = graph.nodes.map(() => 0);
  for (let pass = 0; pass < graph.nodes.length; ++pass) {
    let changed = false;
    for (const e of graph.edges)
      if (level[e.to] < level[e.from] + 1 && level[e.from] + 1 <= graph.nodes.length) {
        level[e.to] = level[e.from] + 1;
        changed = true;
      }
    if (!changed) break;
  }
  const rows = [];
  level.forEach((l, i) => (rows[l] = rows[l] || []).push(i));
  const width = 230, height = 96;
  const most = Math.max(...rows.map((row) => (row || []).length));
  const place = [];
  rows.forEach((row, l) => row && row.forEach((node, i) => {
    place[node] = {x: (most - row.length) * width / 2 + i * width + 10, y: l * height + 10};
  }));
  return {place, width: most * width + 20, height: rows.length * height + 10};
}

function showGraph() {
  const graph = report.graphs.find((g) => g.phase === $('graph-phase').value);
  const box = $('graph');
  box.replaceChildren();
  if (!graph || !graph.nodes.length) return box.append('There is nothing to show.');
  const {place, width, height} = layOut(graph);
  const svg = make('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'group',
    'aria-label': `graph of ${graph.layer < 0 ? 'the program' : 'layer ' + graph.layer}`});
  const say = (text) => { $('graph-detail').textContent = text; };
  const w = 205, h = 52;
  for (const e of graph.edges) {
    const from = place[e.from], to = place[e.to];
    const x1 = from.x + w / 2, y1 = from.y + h, x2 = to.x + w / 2, y2 = to.y;
    const group = make('g', {class: 'edge' + (e.collectives.length ? ' sends' : '')},
      make('path', {d: `M${x1} ${y1} C${x1} ${y1 + 24} ${x2} ${y2 - 24} ${x2} ${y2}`}));
    const list = e.collectives.map((n) => report.collectives[n]);
    if (list.length) {
      const label = list.map((c) => `${c.kind} ${c.axes.join(',')} ${bytes(c.bytes_sent)}`).join(', ');
      group.append(make('text', {x: (x1 + x2) / 2 + 6, y: (y1 + y2) / 2 + 4}, label));
      group.setAttribute('aria-label', label);
      group.setAttribute('role', 'button');
      onChoose(group, () => say(list.map((c) => `${c.kind}, ${time(c.microseconds)}: ${c.why}. IR: ${c.location}`).join(' ')));
    } else group.append(make('title', {}, `${e.type} ${e.placement}`));
    svg.append(group);
  }
  const short = (text, n) => text.length <= n ? text : '…' + text.slice(-n + 1);
  graph.nodes.forEach((node, i) => {
    const {x, y} = place[i];
    const group = make('g', {class: 'node' + (node.outside ? ' outside' : ''), role: 'button', 'aria-label': `${node.name} ${node.module}`},
      make('rect', {x, y, width: w, height: h, rx: 5}),
      make('text', {x: x + 7, y: y + 16}, short(node.name, 30)),
      make('text', {x: x + 7, y: y + 31, class: 'soft'}, short(node.module, 34)),
      make('text', {x: x + 7, y: y + 45, class: 'soft'}, short(node.type, 34)));
    onChoose(group, () => {
      say([node.name, node.module, node.type, node.result && node.result.placement, node.parameters.join(', '),
        node.location && 'IR: ' + node.location].filter(Boolean).join(' · '));
      if (!node.tensor) return;
      $('tensor-name').value = node.tensor;
      showTensor();
    });
    svg.append(group);
  });
  box.append(svg);
  const left = graph.left_out ? `, without ${graph.left_out} ops more` : '';
  say((graph.layer < 0 ? 'The whole program' : `Layer ${graph.layer} of ${graph.phase}`) + left);
}

// ----------------------------------------------------------------- Modules

function showModules() {
  const root = {children: new Map(), tensors: [], sends: []};
  const at = (name) => {
    let node = root;
    for (const part of name.split('.').filter(Boolean)) {
      if (!node.children.has(part)) node.children.set(part, {children: new Map(), tensors: [], sends: []});
      node = node.children.get(part);
    }
    return node;
  };
  for (const t of report.tensors) {
    const dot = t.name.lastIndexOf('.');
    at(dot < 0 ? '' : folded(t.name.slice(0, dot))).tensors.push(t);
  }
  for (const c of report.collectives) for (const m of c.module.split(', ')) at(folded(m)).sends.push(c);
  const sum = (node) => node.sends.reduce((n, c) => n + c.count * c.bytes_sent, 0)
    + [...node.children.values()].reduce((n, child) => n + sum(child), 0);
  const draw = (node, name, depth) => {
    const sent = sum(node);
    const summary = make('summary', {}, name + ' ');
    if (sent) summary.append(make('span', {class: 'badge sends'}, `sends ${bytes(sent)} `));
    if (node.sends.length) summary.append(make('span', {class: 'badge'}, `x${node.sends.length} `));
    const details = make('details', {}, summary);
    details.open = depth < 4;
    const rows = new Map();
    for (const t of node.tensors) {
      const key = [folded(t.name), t.kind, t.dtype, t.shape.join('x'), t.local_shape.join('x'), t.placement].join('|');
      rows.has(key) ? ++rows.get(key).n : rows.set(key, {t, n: 1});
    }
    for (const {t, n} of rows.values()) {
      const link = make('a', {href: '#tensor'}, folded(t.name));
      link.addEventListener('click', () => { $('tensor-name').value = t.name; showTensor(); });
      details.append(make('div', {class: 'leaf'}, link, ` ${t.kind}${n > 1 ? ' x' + n : ''}, ${t.shape.join('x')} ${t.dtype}, `
        + `${t.placement}; a device has ${t.local_shape.join('x')}` + (t.location ? `; IR ${t.location}` : '')));
    }
    for (const [part, child] of node.children) details.append(draw(child, part, depth + 1));
    return details;
  };
  for (const [part, child] of root.children) $('tree').append(draw(child, part, 0));
  const top = draw({...root, children: new Map()}, 'inputs and outputs', 0);
  if (root.tensors.length || root.sends.length) $('tree').append(top);
}

// ------------------------------------------------------------------ Memory

function showMemory() {
  const phase = report.memory.phases.find((p) => p.phase === $('memory-phase').value);
  $('curve').replaceChildren();
  $('alive').replaceChildren();
  if (!phase) return;
  const points = phase.over_program, width = 1000, height = 220, most = Math.max(1, phase.live);
  const step = width / Math.max(1, points.length);
  const area = (key) => `M0 ${height} ` + points.map((p, i) => {
    const y = (height - p[key] / most * (height - 20)).toFixed(1);
    return `L${(i * step).toFixed(1)} ${y} L${((i + 1) * step).toFixed(1)} ${y}`;
  }).join(' ') + ` L${width} ${height} Z`;
  const svg = make('svg', {viewBox: `0 0 ${width} ${height}`, width: '100%', preserveAspectRatio: 'none', height, role: 'slider',
    'aria-label': 'arena in use over the program', 'aria-valuemin': 0, 'aria-valuemax': points.length - 1, 'aria-valuenow': 0},
    make('path', {class: 'area', d: area('bytes')}), make('path', {class: 'area sends', d: area('communication')}));
  const line = make('line', {x1: 0, x2: 0, y1: 0, y2: height, stroke: 'currentColor'});
  svg.append(line);
  svg.setAttribute('tabindex', 0);
  let now = points.findIndex((p) => p.bytes === phase.live);
  const go = (i) => {
    now = Math.max(0, Math.min(points.length - 1, i));
    const p = points[now];
    if (!p) return;
    line.setAttribute('x1', (now + 0.5) * step);
    line.setAttribute('x2', (now + 0.5) * step);
    svg.setAttribute('aria-valuenow', now);
    const text = `${p.module || 'outside modules'}: ${bytes(p.bytes)} in use, ${bytes(p.communication)} of it filled by collectives (dashed)`;
    svg.setAttribute('aria-valuetext', text);
    $('curve-detail').textContent = text;
  };
  svg.addEventListener('mousemove', (event) => {
    const box = svg.getBoundingClientRect();
    go(Math.floor((event.clientX - box.left) / box.width * points.length));
  });
  svg.addEventListener('keydown', (event) => {
    const moves = {ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: points.length - 1, PageUp: now - 10, PageDown: now + 10};
    if (!(event.key in moves)) return;
    event.preventDefault();
    go(moves[event.key]);
  });
  $('curve').append(svg);
  go(now);
  $('alive').append(table(`Alive at the peak of ${phase.phase}: ${bytes(phase.live)}, in ${phase.peak_module}`,
    [['bytes', 'number'], ['kind'], ['type'], ['buffers', 'number'], ['module']],
    phase.alive_at_peak.map((a) => [bytes(a.bytes), a.kind, a.type, a.count, a.module])));
}

// ----------------------------------------------------------------- Tensors

const strides = new Map();
{
  let stride = 1;
  for (const axis of [...report.mesh.axes].reverse()) { strides.set(axis.name, {size: axis.size, stride}); stride *= axis.size; }
}
const digit = (part) => {
  const whole = strides.get(part.axis);
  return {size: part.size, stride: whole.stride * (whole.size / (part.pre * part.size))};
};
// The block of a dim that a device holds, and the devices that hold one.
const blockOf = (dim, device) => dim.reduce((n, part) => {
  const d = digit(part);
  return n * d.size + Math.floor(device / d.stride) % d.size;
}, 0);
function freeDigits(tensor) {
  const free = [];
  for (const [name, whole] of strides) {
    const used = tensor.dims.flat().filter((p) => p.axis === name).map((p) => [p.pre, p.size]).sort((a, b) => a[0] - b[0]);
    used.push([whole.size, 1]);
    let pre = 1;
    for (const [begin, size] of used) {
      if (begin > pre) free.push(digit({axis: name, pre, size: begin / pre}));
      pre = begin * size;
    }
  }
  return free;
}
function devicesOf(tensor, index, free, most) {
  let first = 0;
  tensor.dims.forEach((dim, d) => {
    let rest = index[d];
    for (const part of [...dim].reverse()) {
      const each = digit(part);
      first += rest % each.size * each.stride;
      rest = Math.floor(rest / each.size);
    }
  });
  let devices = [first];
  for (const each of [...free].reverse()) {
    const more = [];
    for (let i = 0; i < each.size && more.length < most; ++i) for (const d of devices) if (more.length < most) more.push(d + i * each.stride);
    devices = more;
  }
  return devices.sort((a, b) => a - b);
}

// Arguments and results of the program, and the values of the layers shown.
const tensors = [...report.tensors];
for (const graph of report.graphs)
  for (const node of graph.nodes)
    if (node.result) {
      const same = tensors.filter((t) => t.name === node.result.name || t.name.startsWith(node.result.name + ' (')).length;
      tensors.push({...node.result, name: node.result.name + (same ? ` (${same + 1})` : '')});
      node.tensor = tensors[tensors.length - 1].name;
    }

let slices = {name: '', at: []};
function showTensor() {
  const tensor = tensors.find((t) => t.name === $('tensor-name').value);
  const box = $('picture');
  box.replaceChildren();
  if (!tensor) {
    $('tensor-about').textContent = 'There is no tensor of this name.';
    return $('tensor-slices').replaceChildren();
  }
  const blocks = tensor.dims.map((dim) => dim.reduce((n, p) => n * p.size, 1));
  const shared = blocks.map((n, d) => d).filter((d) => blocks[d] > 1);
  const free = freeDigits(tensor), copies = free.reduce((n, d) => n * d.size, 1);
  const device = Math.max(0, Number($('device').value) || 0);
  $('tensor-about').textContent = `${tensor.kind}, ${tensor.shape.join('x') || 'scalar'} ${tensor.dtype}, ${tensor.placement}. `
    + `A device has a block of ${tensor.local_shape.join('x') || '1'}; ${copies} device${copies === 1 ? ' has' : 's have'} each block`
    + (tensor.location ? `. IR: ${tensor.location}` : '');
  const outer = shared.slice(0, -2), inner = shared.slice(-2);
  if (slices.name !== tensor.name) {
    slices = {name: tensor.name, at: tensor.dims.map(() => 0)};
    $('tensor-slices').replaceChildren(...outer.map((d) => {
      const input = make('input', {type: 'number', min: 0, max: blocks[d] - 1, value: 0});
      input.addEventListener('input', () => { slices.at[d] = Math.min(blocks[d] - 1, Math.max(0, Number(input.value) || 0)); showTensor(); });
      return make('label', {}, `block of dim ${d} `, input);
    }));
  }
  const range = (d, i) => {
    const begin = i * tensor.local_shape[d], end = Math.min(begin + tensor.local_shape[d], tensor.shape[d]);
    return begin >= tensor.shape[d] ? 'padding' : begin + 1 === end ? `${begin}` : `${begin}..${end - 1}`;
  };
  const rows = inner.length > 1 ? inner[0] : inner[0], cols = inner.length > 1 ? inner[1] : undefined;
  const most = 64, nRows = rows === undefined ? 1 : Math.min(blocks[rows], most);
  const nCols = cols === undefined ? 1 : Math.min(blocks[cols], most);
  const head = make('tr', {}, make('th', {scope: 'col'}, rows === undefined ? 'all of it' : `dim ${rows}`));
  for (let j = 0; j < nCols; ++j) head.append(make('th', {scope: 'col'}, cols === undefined ? 'devices' : `dim ${cols}: ${range(cols, j)}`));
  const body = make('tbody', {});
  for (let i = 0; i < nRows; ++i) {
    const row = make('tr', {}, make('th', {scope: 'row'}, rows === undefined ? '' : range(rows, i)));
    for (let j = 0; j < nCols; ++j) {
      const index = [...slices.at];
      if (rows !== undefined) index[rows] = i;
      if (cols !== undefined) index[cols] = j;
      const devices = devicesOf(tensor, index, free, 12);
      const mine = tensor.dims.every((dim, d) => blockOf(dim, device) === index[d]);
      const padding = shared.some((d) => index[d] * tensor.local_shape[d] >= tensor.shape[d]);
      row.append(make('td', {class: 'cell' + (mine ? ' mine' : '') + (padding ? ' padding' : '')},
        devices.join(', ') + (copies > devices.length ? `, … (${copies})` : '') + (mine ? ' ◀' : '')));
    }
    body.append(row);
  }
  box.append(make('table', {}, make('caption', {}, `Devices by block; ◀ has device ${device}`), make('thead', {}, head), body));
  if (rows !== undefined && blocks[rows] > most || cols !== undefined && blocks[cols] > most) box.append(`The first ${most} blocks of a dim are shown.`);
}

// ------------------------------------------------------------------- Start

showOverview();
startCollectives();
// Graphs before tensors: choosing an op shows what it gives.
fill($('graph-phase'), report.graphs.map((g) => g.phase));
$('graph-phase').addEventListener('input', showGraph);
showGraph();
showModules();
facts('memory-facts', ['parameters', 'state', 'activations_peak', 'peak'].map((k) => [k.replace('_', ', '), bytes(report.memory[k])]));
fill($('memory-phase'), report.memory.phases.map((p) => p.phase));
$('memory-phase').addEventListener('input', showMemory);
showMemory();
for (const t of tensors) $('tensor-names').append(make('option', {value: t.name}));
$('device').max = [...strides.values()].reduce((n, a) => n * a.size, 1) - 1;
$('tensor-name').value = (report.tensors.find((t) => t.dims.some((d) => d.length)) || report.tensors[0] || {name: ''}).name;
for (const id of ['tensor-name', 'device']) $(id).addEventListener('input', showTensor);
showTensor();
document.documentElement.dataset.ready = 'yes';
