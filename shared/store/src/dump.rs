//! Everything that a namespace holds, as values: what tests compare before and after. It is read in
//! steps, and is not for a store in use.

use std::collections::{BTreeMap, BTreeSet};

use redis::streams::StreamRangeReply;

use crate::error::StoreError;
use crate::packed::unpack;
use crate::store::Store;

/// The value of one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Dumped {
    /// A string.
    Text(String),
    /// A hash.
    Hash(BTreeMap<String, String>),
    /// A set.
    Set(BTreeSet<String>),
    /// A sorted set, by member.
    Sorted(BTreeMap<String, f64>),
    /// A list.
    List(Vec<String>),
    /// A stream's entries, without their ids, which are times. Packed ones are taken apart.
    Stream(Vec<BTreeMap<String, String>>),
}

impl Store {
    /// Every key of the namespace, without the namespace in its name, with its value.
    pub async fn dump(&self) -> Result<BTreeMap<String, Dumped>, StoreError> {
        let mut all = BTreeMap::new();
        for some in self.keys_of_namespace().await?.chunks(500) {
            for (key, value) in some.iter().zip(self.dump_keys(some).await?) {
                all.insert(key.trim_start_matches(self.keys.root()).to_owned(), value);
            }
        }
        Ok(all)
    }

    /// Removes every key of the namespace. For tests and benches.
    pub async fn remove_namespace(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        loop {
            let found = self.keys_of_namespace().await?;
            if found.is_empty() {
                return Ok(());
            }
            for some in found.chunks(1000) {
                redis::cmd("UNLINK").arg(some).exec_async(&mut connection).await?;
            }
        }
    }

    /// The names of all keys of the namespace, sorted. For tests: it walks the whole of Redis.
    pub async fn keys_of_namespace(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.connection.clone();
        let (mut cursor, mut names) = (0_u64, Vec::new());
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(self.keys.pattern()).arg("COUNT").arg(1000);
            let (next, found): (u64, Vec<String>) = command.query_async(&mut connection).await?;
            names.extend(found);
            if next == 0 {
                names.sort();
                return Ok(names);
            }
            cursor = next;
        }
    }

    async fn dump_keys(&self, keys: &[String]) -> Result<Vec<Dumped>, StoreError> {
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.cmd("TYPE").arg(key);
        }
        let kinds: Vec<String> = pipe.query_async(&mut connection).await?;
        let mut pipe = redis::pipe();
        for (key, kind) in keys.iter().zip(&kinds) {
            match kind.as_str() {
                "hash" => pipe.cmd("HGETALL").arg(key),
                "set" => pipe.cmd("SMEMBERS").arg(key),
                "zset" => pipe.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
                "list" => pipe.cmd("LRANGE").arg(key).arg(0).arg(-1),
                "stream" => pipe.cmd("XRANGE").arg(key).arg("-").arg("+"),
                _ => pipe.cmd("GET").arg(key),
            };
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
        kinds.iter().zip(values).map(|(kind, value)| dumped(kind, value)).collect()
    }
}

fn dumped(kind: &str, value: redis::Value) -> Result<Dumped, StoreError> {
    let dumped = match kind {
        "hash" => redis::from_redis_value(value).map(Dumped::Hash),
        "set" => redis::from_redis_value(value).map(Dumped::Set),
        "zset" => redis::from_redis_value(value).map(Dumped::Sorted),
        "list" => redis::from_redis_value(value).map(Dumped::List),
        "stream" => redis::from_redis_value(value).map(stream),
        _ => redis::from_redis_value(value).map(Dumped::Text),
    };
    Ok(dumped.map_err(redis::RedisError::from)?)
}

fn stream(reply: StreamRangeReply) -> Dumped {
    let entries = reply.ids.into_iter().flat_map(|entry| {
        let fields = entry.map.into_iter();
        let text = |(name, value)| Some((name, redis::from_redis_value(value).ok()?));
        unpack(fields.filter_map(text).collect())
    });
    Dumped::Stream(entries.collect())
}
