// Shows the OpenAPI document. Its texts are inserted as text, never as markup.
'use strict';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

// Creates an element: element('td', {class: 'x'}, 'text', child, …). Null children are skipped.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Returns text in which words between backquotes are code elements.
function prose(text) {
  const parts = (text || '').split('`');
  return parts.map((part, at) => (at % 2 ? element('code', {}, part) : part));
}

function json(value) {
  return element('pre', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2));
}

function table(heads, rows) {
  const row = (kind) => (cells) => element('tr', {}, cells.map((cell) => element(kind, {}, cell)));
  return element('table', {}, row('th')(heads), rows.map(row('td')));
}

// Returns a short description of the values of a schema. A named schema becomes a link.
function typeOf(schema) {
  if (!schema) return ['anything'];
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return [element('a', {href: `#schema-${name}`}, name)];
  }
  const either = schema.oneOf || schema.anyOf;
  if (either) return either.flatMap((one, at) => (at ? [' or ', ...typeOf(one)] : typeOf(one)));
  if (schema.enum) return [schema.enum.map((word) => JSON.stringify(word)).join(', ')];
  const types = [schema.type || 'anything'].flat().join(' or ');
  if (schema.items) return [`${types} of `, ...typeOf(schema.items)];
  if (schema.additionalProperties?.type || schema.additionalProperties?.$ref) {
    return [`${types} of `, ...typeOf(schema.additionalProperties)];
  }
  return [[types, ...limits(schema)].join(', ')];
}

function limits(schema) {
  const known = {
    format: '', minimum: 'minimum ', maximum: 'maximum ', minLength: 'minimum length ',
    maxLength: 'maximum length ', maxItems: 'maximum items ', pattern: 'pattern ',
  };
  return Object.keys(known).filter((key) => key in schema).map((key) => known[key] + schema[key]);
}

// Returns the description of a schema, or of one of its alternatives.
function descriptionOf(schema) {
  const either = (schema.oneOf || schema.anyOf || []).find((one) => one.description);
  return schema.description || either?.description || '';
}

function fields(schema) {
  const required = schema.required || [];
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    element('code', {}, required.includes(name) ? name : `${name}?`), typeOf(field),
    prose(descriptionOf(field)),
  ]);
  return table(['Field', 'Type', 'Description'], rows);
}

function parameters(list) {
  const example = (value) => element('div', {}, 'Example: ', element('code', {}, String(value)));
  const rows = list.map((one) => [
    element('code', {}, one.required ? one.name : `${one.name}?`), one.in, typeOf(one.schema),
    [...prose(one.description), one.example === undefined ? null : example(one.example)],
  ]);
  return table(['Parameter', 'In', 'Type', 'Description'], rows);
}

function contents(content, schemas) {
  return Object.entries(content || {}).flatMap(([kind, {schema, example, examples}]) => {
    const named = schemas[schema?.$ref?.split('/').pop()];
    const single = example ?? (examples ? undefined : named?.example);
    const summarized = (one) => [element('p', {}, one.summary || ''), json(one.value)];
    return [
      element('p', {}, element('code', {}, kind), ' ', typeOf(schema)),
      single === undefined ? null : json(single),
      ...Object.values(examples || {}).flatMap(summarized),
    ];
  });
}

function response([status, answer], schemas) {
  const headers = Object.entries(answer.headers || {}).map(([name, header]) =>
    element('p', {}, element('code', {}, name), ': ', prose(header.description)));
  return element('details', {},
    element('summary', {}, element('code', {}, status), prose(answer.description)),
    headers, contents(answer.content, schemas));
}

function operation(path, method, spec, schemas) {
  const name = method.toUpperCase();
  const text = `${name} ${path} ${spec.summary}`.toLowerCase();
  const heading = (title) => element('h4', {}, title);
  const body = spec.requestBody?.content;
  return element('details', {id: spec.operationId, 'data-text': text},
    element('summary', {},
      element('code', {class: `method ${name}`}, name), element('code', {}, path),
      prose(spec.summary)),
    spec.description ? element('p', {}, prose(spec.description)) : null,
    spec.parameters?.length ? [heading('Parameters'), parameters(spec.parameters)] : null,
    body ? [heading('Body'), contents(body, schemas)] : null,
    heading('Responses'), Object.entries(spec.responses).map((one) => response(one, schemas)));
}

function schemaOf([name, schema]) {
  return element('details', {id: `schema-${name}`, 'data-text': name.toLowerCase()},
    element('summary', {}, element('code', {}, name)),
    schema.description ? element('p', {}, prose(schema.description)) : null,
    schema.properties ? fields(schema) : element('p', {}, typeOf(schema)),
    schema.example === undefined ? null : json(schema.example));
}

function show(doc) {
  const schemas = doc.components?.schemas || {};
  const byTag = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const method of METHODS.filter((one) => one in methods)) {
      const [tag = 'other'] = methods[method].tags || [];
      const shown = operation(path, method, methods[method], schemas);
      byTag.set(tag, [...(byTag.get(tag) || []), shown]);
    }
  }
  const sections = [...byTag, ['schemas', Object.entries(schemas).map(schemaOf)]];
  document.getElementById('version').textContent = doc.info.version;
  document.getElementById('about').replaceChildren(...prose(doc.info.description));
  document.getElementById('content').replaceChildren(
    ...sections.map(([tag, parts]) => element('section', {}, element('h2', {}, tag), parts)));
  window.addEventListener('hashchange', open);
  document.getElementById('filter').addEventListener('input', filter);
  open();
}

// Opens the operation or schema in the fragment of the URL.
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

function filter(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const one of document.querySelectorAll('[data-text]')) {
    one.hidden = !words.every((word) => one.dataset.text.includes(word));
  }
}

fetch('/api/v0/docs.json')
  .then((answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  })
  .then(show)
  .catch((error) => {
    const message = `Cannot show the document: ${error.message}`;
    document.getElementById('content').replaceChildren(message);
  });
