//! Everything that a namespace holds, as values: what tests compare before and after. It reads key by key and
//! is not for a store in use.

use std::collections::{BTreeMap, BTreeSet};

use redis::streams::StreamRangeReply;

use super::{Store, StoreError};

/// One key's value.
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
    /// A stream's entries, without their places, which are moments.
    Stream(Vec<BTreeMap<String, String>>),
}

impl Store {
    /// Every key of the namespace, without the namespace in its name, with its value.
    pub async fn dump(&self) -> Result<BTreeMap<String, Dumped>, StoreError> {
        let mut all = BTreeMap::new();
        for key in self.keys_of_namespace().await? {
            let name = key.trim_start_matches(self.keys.root()).to_owned();
            all.insert(name, self.dump_key(&key).await?);
        }
        Ok(all)
    }

    async fn dump_key(&self, key: &str) -> Result<Dumped, StoreError> {
        let mut connection = self.connection.clone();
        let mut ask = async |command: &str, arguments: &[&str]| {
            redis::cmd(command).arg(key).arg(arguments).query_async(&mut connection).await
        };
        let kind: redis::Value = ask("TYPE", &[]).await?;
        let kind: String = redis::from_redis_value(kind).map_err(redis::RedisError::from)?;
        let value: redis::Value = match kind.as_str() {
            "hash" => ask("HGETALL", &[]).await?,
            "set" => ask("SMEMBERS", &[]).await?,
            "zset" => ask("ZRANGE", &["0", "-1", "WITHSCORES"]).await?,
            "stream" => ask("XRANGE", &["-", "+"]).await?,
            _ => ask("GET", &[]).await?,
        };
        let dumped = match kind.as_str() {
            "hash" => redis::from_redis_value(value).map(Dumped::Hash),
            "set" => redis::from_redis_value(value).map(Dumped::Set),
            "zset" => redis::from_redis_value(value).map(Dumped::Sorted),
            "stream" => redis::from_redis_value(value).map(stream),
            _ => redis::from_redis_value(value).map(Dumped::Text),
        };
        Ok(dumped.map_err(redis::RedisError::from)?)
    }
}

fn stream(reply: StreamRangeReply) -> Dumped {
    let entries = reply.ids.into_iter().map(|entry| {
        let fields = entry.map.into_iter();
        fields
            .filter_map(|(name, value)| Some((name, redis::from_redis_value(value).ok()?)))
            .collect()
    });
    Dumped::Stream(entries.collect())
}
