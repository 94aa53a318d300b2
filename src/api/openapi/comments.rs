//! The comments of the protos, by what they stand above.

use std::collections::HashMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};

/// The comments above everything.
#[derive(Debug)]
pub(super) struct Comments {
    /// By file, and the place in it.
    by_place: HashMap<(String, Vec<i32>), String>,
}

impl Comments {
    /// Those of all protos.
    pub(super) fn of(pool: &DescriptorPool) -> Self {
        let mut by_place = HashMap::new();
        for file in pool.files() {
            let source = file.file_descriptor_proto().source_code_info.iter();
            for location in source.flat_map(|source| &source.location) {
                if let Some(comment) = &location.leading_comments {
                    by_place.insert((file.name().to_owned(), location.path.clone()), prose(comment));
                }
            }
        }
        Self { by_place }
    }

    fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.by_place.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }

    /// The one of a service.
    pub(super) fn of_service(&self, service: &ServiceDescriptor) -> &str {
        self.at(&service.parent_file(), service.path())
    }

    /// The one of a method.
    pub(super) fn of_method(&self, method: &MethodDescriptor) -> &str {
        self.at(&method.parent_file(), method.path())
    }

    /// The one of a message.
    pub(super) fn of_message(&self, message: &MessageDescriptor) -> &str {
        self.at(&message.parent_file(), message.path())
    }

    /// The one of a field.
    pub(super) fn of_field(&self, field: &FieldDescriptor) -> &str {
        self.at(&field.parent_file(), field.path())
    }

    /// The one of an enum.
    pub(super) fn of_enum(&self, described: &EnumDescriptor) -> &str {
        self.at(&described.parent_file(), described.path())
    }

    /// The one of a value of an enum.
    pub(super) fn of_value(&self, value: &EnumValueDescriptor) -> &str {
        self.at(&value.parent_file(), value.path())
    }
}

/// A comment as paragraphs of one line.
fn prose(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| paragraph.join(" ")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::json::pool;

    #[test]
    fn everything_of_ours_has_its_comment() {
        let pool = pool().unwrap();
        let comments = Comments::of(pool);
        for service in pool.services() {
            assert!(!comments.of_service(&service).is_empty(), "{}", service.full_name());
            for method in service.methods() {
                assert!(!comments.of_method(&method).is_empty(), "{}", method.full_name());
            }
        }
        let site = pool.get_message_by_name("waymark.v1.ListSitesRequest").unwrap();
        let size = site.get_field_by_name("page_size").unwrap();
        assert!(comments.of_field(&size).starts_with("At most so many"), "{}", comments.of_field(&size));
        let state = pool.get_enum_by_name("waymark.v1.TicketingVerification.State").unwrap();
        assert_eq!(comments.of_enum(&state), "How far a run is.");
        assert_eq!(comments.of_value(&state.get_value(2).unwrap()), "All sites were looked at.");
    }

    #[test]
    fn lines_become_paragraphs() {
        assert_eq!(prose(" One\n goes on.\n\n Two.\n"), "One goes on.\n\nTwo.");
        assert_eq!(prose(""), "");
    }
}
